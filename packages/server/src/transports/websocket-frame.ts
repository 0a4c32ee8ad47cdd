import { Sender } from './ws-parts.ts'

/** Source: RFC 6455, 5.2. */
export const OPCODES = { Text: 1, Binary: 2, Close: 8, Pong: 10 } as const

/** A whole message as a server sends it: in one frame, which is not masked. */
export function frameOf(payload: Buffer, opcode: number): Buffer {
  return Buffer.concat(Sender.frame(payload, { fin: true, rsv1: false, opcode, mask: false, readOnly: true }))
}

/** @param reason in UTF-8, of at most 123 bytes */
export function closeFrame(code: number, reason: Buffer): Buffer {
  const payload = Buffer.allocUnsafe(2 + reason.length)
  payload.writeUInt16BE(code)
  payload.set(reason, 2)
  return frameOf(payload, OPCODES.Close)
}
