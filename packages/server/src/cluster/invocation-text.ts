import { MessageType } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import { SIGNAL_WHOLE_BYTES_MAX } from './signal-text.ts'

/** A completion has an id. Nobody reads this one. */
const RESULT_ID = 'r'
const LIMITS = { messageBytesMax: SIGNAL_WHOLE_BYTES_MAX, depthMax: 500 }

/** A call of client methods as text, in MessagePack, so that bytes and times stay what they are. */
export function toInvocation(target: string, args: readonly unknown[]): string {
  const data = messagePackCodec.encode({ type: MessageType.Invocation, target, arguments: args })
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
}

/** What {@link toInvocation} wrote; undefined where it did not. */
export function fromInvocation(
  text: string,
): { readonly target: string; readonly args: readonly unknown[] } | undefined {
  try {
    const { value } = messagePackCodec.createReader(LIMITS).read(Buffer.from(text, 'base64')).next()
    if (!value || value.type !== MessageType.Invocation) return undefined
    return { target: value.target, args: value.arguments }
  } catch {
    return undefined
  }
}

/** A client's result as text. @throws TypeError where MessagePack can't say it */
export function toResult(result: unknown): string {
  const completion = { type: MessageType.Completion, invocationId: RESULT_ID } as const
  const data = messagePackCodec.encode(result === undefined ? completion : { ...completion, result })
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
}

/** What {@link toResult} wrote; undefined where it did not. */
export function fromResult(text: string): unknown {
  try {
    const { value } = messagePackCodec.createReader(LIMITS).read(Buffer.from(text, 'base64')).next()
    return value?.type === MessageType.Completion ? value.result : undefined
  } catch {
    return undefined
  }
}
