import { ProtocolError } from './protocol-error.ts'

/** Ends every text message of the hub protocol and both handshake messages. Source: HubProtocol.md, "Text framing". */
export const RECORD_SEPARATOR = '\x1e'

/**
 * Cuts a stream of text at the record separators. Keeps at most one unfinished record, of at most the given size. Each
 * piece is counted once: a peer that sends a record in very many pieces costs no more than one that does not.
 */
export class TextFraming {
  readonly #recordBytesMax: number
  #partial = ''
  #partialBytes = 0
  /** Whether the partial record ends in the first half of a surrogate pair, whose second half may follow. */
  #endsInHalf = false

  constructor(recordBytesMax: number) {
    this.#recordBytesMax = recordBytesMax
  }

  /** The records that are whole with this text, without their separators. @throws ProtocolError `too-large` */
  *read(text: string): Generator<string, void, undefined> {
    let start = 0
    let end = text.indexOf(RECORD_SEPARATOR)
    while (end !== -1) {
      const piece = text.slice(start, end)
      start = end + 1
      yield this.#partial === '' ? this.#whole(piece) : this.#join(piece)
      end = text.indexOf(RECORD_SEPARATOR, start)
    }
    if (start < text.length) this.#keep(text.slice(start))
  }

  /** The record that came in one piece: most do, and most are so small that nothing needs to be counted. */
  #whole(record: string): string {
    if (record.length * 3 > this.#recordBytesMax) this.#require(utf8Length(record))
    return record
  }

  /** The record that ends with this piece. */
  #join(piece: string): string {
    this.#keep(piece)
    const record = this.#partial
    this.#partial = ''
    this.#partialBytes = 0
    this.#endsInHalf = false
    return record
  }

  #keep(piece: string): void {
    // Two halves count three bytes each while they are apart, and four together.
    if (this.#endsInHalf && isSecondHalf(piece.charCodeAt(0))) this.#partialBytes -= 2
    this.#partialBytes += utf8Length(piece)
    this.#require(this.#partialBytes)
    if (piece !== '') this.#endsInHalf = isFirstHalf(piece.charCodeAt(piece.length - 1))
    this.#partial += piece
  }

  #require(bytes: number): void {
    const max = this.#recordBytesMax
    if (bytes > max) throw new ProtocolError('too-large', `The maximum message size of ${max}B was exceeded.`)
  }
}

/** Bytes of the text in UTF-8. A lone surrogate counts three, as the replacement character that stands for it. */
function utf8Length(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) bytes += 1
    else if (unit < 0x800) bytes += 2
    else if (isFirstHalf(unit) && isSecondHalf(text.charCodeAt(i + 1))) {
      bytes += 4
      i++
    } else bytes += 3
  }
  return bytes
}

function isFirstHalf(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** NaN, which stands for no unit, is none. */
function isSecondHalf(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}
