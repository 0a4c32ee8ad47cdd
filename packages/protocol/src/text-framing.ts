import { ProtocolError } from './protocol-error.ts'

/** Ends every text message of the hub protocol and both handshake messages. Source: HubProtocol.md, "Text framing". */
export const RECORD_SEPARATOR = '\x1e'

/** Cuts a stream of text at the record separators. Keeps at most one unfinished record, of at most the given size. */
export class TextFraming {
  readonly #recordBytesMax: number
  #partial = ''

  constructor(recordBytesMax: number) {
    this.#recordBytesMax = recordBytesMax
  }

  /** The records that are whole with this text, without their separators. @throws ProtocolError `too-large` */
  *read(text: string): Generator<string, void, undefined> {
    let start = 0
    let end = text.indexOf(RECORD_SEPARATOR)
    while (end !== -1) {
      const record = this.#partial + text.slice(start, end)
      this.#partial = ''
      this.#require(record)
      start = end + 1
      yield record
      end = text.indexOf(RECORD_SEPARATOR, start)
    }
    if (start === text.length) return
    this.#partial += text.slice(start)
    this.#require(this.#partial)
  }

  #require(record: string): void {
    const max = this.#recordBytesMax
    if (record.length * 3 <= max) return
    if (record.length <= max && utf8Length(record) <= max) return
    throw new ProtocolError('too-large', `The maximum message size of ${max}B was exceeded.`)
  }
}

/** Bytes of the text in UTF-8. A lone surrogate counts three, as the replacement character that stands for it. */
function utf8Length(text: string): number {
  let bytes = 0
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (code < 0x80) bytes += 1
    else if (code < 0x800) bytes += 2
    else bytes += code < 0x10000 ? 3 : 4
  }
  return bytes
}
