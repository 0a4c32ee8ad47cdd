/** A frame as servers send them, without a mask. */
export interface RawFrame {
  readonly opcode: number
  readonly payload: Buffer
}

const CLOSE = 8

/** The frames after the answer to an upgrade; `text` has one character a byte. Nothing where it was not accepted. */
export function framesOf(text: string): RawFrame[] {
  const bytes = Buffer.from(text, 'latin1')
  const frames: RawFrame[] = []
  let at = bytes.indexOf('\r\n\r\n') + 4
  if (!text.startsWith('HTTP/1.1 101 ')) return frames
  while (at + 1 < bytes.length) {
    const opcode = (bytes[at] ?? 0) & 0x0f
    const short = (bytes[at + 1] ?? 0) & 0x7f
    const [length, head] =
      short < 126 ? [short, 2] : short === 126 ? [bytes.readUInt16BE(at + 2), 4] : [bytes.readUInt32BE(at + 6), 10]
    frames.push({ opcode, payload: bytes.subarray(at + head, at + head + length) })
    at += head + length
  }
  return frames
}

/** The payloads of its close frames: a code, and the reason where there is one. */
export function closesOf(text: string): Buffer[] {
  return framesOf(text)
    .filter(({ opcode }) => opcode === CLOSE)
    .map(({ payload }) => payload)
}

export function closeCodesOf(text: string): number[] {
  return closesOf(text).map((payload) => payload.readUInt16BE(0))
}
