import { type HubMessage, MessageType } from '@serverchannel/protocol'
import type { Limits } from '../options.ts'
import { HubException } from './hub-exception.ts'
import { invocationErrors, withDetail } from './invocation-errors.ts'
import type { InvocationQueue } from './invocation-queue.ts'
import type { Method } from './method-table.ts'
import type { Uploads } from './uploads.ts'

type Call = Extract<HubMessage, { readonly type: 1 | 4 }>

/** Why a call is not taken up, in the words of the answer; undefined where it is. */
export function findRefusal(
  message: Call,
  method: Method,
  queue: InvocationQueue,
  uploads: Uploads,
  limits: Limits,
): string | undefined {
  const { target, streamIds = [], invocationId = '' } = message
  if (streamIds.length !== method.uploadCount) {
    return refusal(target, invocationErrors.streamCount(streamIds.length, method.uploadCount))
  }
  if (message.type === MessageType.StreamInvocation && queue.has(invocationId))
    return invocationErrors.idInUse(invocationId)
  for (const [index, streamId] of streamIds.entries()) {
    if (uploads.has(streamId) || streamIds.indexOf(streamId) < index) {
      return refusal(target, `Stream ID '${streamId}' is already in use.`)
    }
  }
  const isStreaming = method.isStreaming || streamIds.length > 0
  if (isStreaming && Math.max(queue.streamingCount + 1, uploads.count + streamIds.length) > limits.streamsMax) {
    return refusal(target, `The client has ${limits.streamsMax} streams already.`)
  }
  if (!isStreaming && queue.waitingCount >= limits.waitingInvocationsMax) {
    return refusal(target, `${limits.waitingInvocationsMax} invocations of the client wait already.`)
  }
  return undefined
}

function refusal(target: string, text: string): string {
  return withDetail(invocationErrors.methodThrew(target), new HubException(text), false)
}
