import { ProtocolError } from './protocol-error.ts'

/**
 * Checks that the bytes from `start` to `end` are UTF-8, but for halves of surrogate pairs, each encoded as if it were a
 * character: stock clients write those where a text was cut within a pair. With `isMending` they are replaced with
 * U+FFFD, which has as many bytes. Source: the Unicode Standard, table 3-7.
 *
 * @returns whether there are halves
 * @throws ProtocolError `malformed`
 */
export function scanUtf8(bytes: Uint8Array, start: number, end: number, isMending: boolean): boolean {
  let hasHalves = false
  let position = start
  while (position < end) {
    const lead = bytes[position++] ?? 0
    if (lead < 0x80) continue
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3
    const second = bytes[position] ?? 0
    if (lead < 0xc2 || lead > 0xf4 || position + more > end || !isSecond(lead, second)) throw notUtf8()
    for (let i = position + 1; i < position + more; i++) if (!isContinuation(bytes[i] ?? 0)) throw notUtf8()
    if (lead === 0xed && second >= 0xa0) {
      hasHalves = true
      if (isMending) bytes.set(REPLACEMENT, position - 1)
    }
    position += more
  }
  return hasHalves
}

const REPLACEMENT = new Uint8Array([0xef, 0xbf, 0xbd])

/** Whether the byte may follow the lead: some leads allow fewer, so that every character has one form only. */
function isSecond(lead: number, byte: number): boolean {
  switch (lead) {
    case 0xe0:
      return byte >= 0xa0 && byte <= 0xbf
    case 0xf0:
      return byte >= 0x90 && byte <= 0xbf
    case 0xf4:
      return byte >= 0x80 && byte <= 0x8f
    default:
      return isContinuation(byte)
  }
}

function isContinuation(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf
}

function notUtf8(): ProtocolError {
  return new ProtocolError('malformed', 'A text in the message is not UTF-8.')
}
