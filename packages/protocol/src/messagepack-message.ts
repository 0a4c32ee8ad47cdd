import { type HubMessage, MessageType } from './hub-message.ts'
import { isMap } from './messagepack-value.ts'
import { ProtocolError } from './protocol-error.ts'

/** What a Completion carries. */
const CompletionKind = { Error: 1, Void: 2, Value: 3 } as const

/** The message as the array that it is on the wire, as a .NET server writes it. Source: SIGNALR 3. */
export function toElements(message: HubMessage): readonly unknown[] {
  switch (message.type) {
    case MessageType.Invocation:
    case MessageType.StreamInvocation: {
      const { type, invocationId, target, arguments: args, streamIds, headers } = message
      // An empty id is none (SIGNALR 3), and so it is written.
      return [type, headers ?? {}, invocationId || null, target, args, streamIds ?? []]
    }
    case MessageType.StreamItem:
      return [message.type, message.headers ?? {}, message.invocationId, message.item]
    case MessageType.Completion: {
      const { type, invocationId, result, error, headers = {} } = message
      if (error !== undefined) return [type, headers, invocationId, CompletionKind.Error, error]
      if (result === undefined) return [type, headers, invocationId, CompletionKind.Void]
      return [type, headers, invocationId, CompletionKind.Value, result]
    }
    case MessageType.CancelInvocation:
      return [message.type, message.headers ?? {}, message.invocationId]
    case MessageType.Ping:
      return [message.type]
    case MessageType.Close:
      return [message.type, message.error ?? null, message.allowReconnect ?? false]
    case MessageType.Ack:
    case MessageType.Sequence:
      return [message.type, message.sequenceId]
    default:
      return message satisfies never
  }
}

/**
 * The hub message that a decoded value makes; undefined where the type is none that we know. Elements beyond those that
 * a type has are passed over: later versions of the protocol add some.
 *
 * @throws ProtocolError `malformed`
 */
export function toHubMessage(value: unknown): HubMessage | undefined {
  if (!Array.isArray(value)) throw malformed('The message is not an array.')
  const elements: readonly unknown[] = value
  const type = elements[0]
  if (typeof type !== 'number') throw malformed('The message does not begin with the number of its type.')
  switch (type) {
    case MessageType.Invocation:
      requireLength(elements, 5)
      // An empty id is none: there are clients that write so where no answer is wanted.
      return { type, ...optional('invocationId', text(elements, 2, 'invocationId') || undefined), ...call(elements) }
    case MessageType.StreamItem:
      requireLength(elements, 4)
      return { type, ...answer(elements), item: elements[3] }
    case MessageType.Completion:
      return completion(elements)
    case MessageType.StreamInvocation:
      requireLength(elements, 5)
      return { type, invocationId: required(elements, 2, 'invocationId'), ...call(elements) }
    case MessageType.CancelInvocation:
      requireLength(elements, 3)
      return { type, ...answer(elements) }
    case MessageType.Ping:
      return { type }
    case MessageType.Close:
      requireLength(elements, 2)
      return { type, ...optional('error', text(elements, 1, 'error')), ...allowReconnect(elements[2]) }
    case MessageType.Ack:
    case MessageType.Sequence:
      requireLength(elements, 2)
      return { type, sequenceId: sequenceId(elements[1]) }
    default:
      return undefined
  }
}

type Elements = readonly unknown[]
type Headers = Readonly<Record<string, string>>

function completion(elements: Elements): HubMessage {
  requireLength(elements, 4)
  const type = MessageType.Completion
  const kind = elements[3]
  switch (kind) {
    case CompletionKind.Error:
      return { type, ...answer(elements), error: required(elements, 4, 'error') }
    case CompletionKind.Void:
      return { type, ...answer(elements) }
    case CompletionKind.Value:
      requireLength(elements, 5)
      return { type, ...answer(elements), result: elements[4] }
    default:
      throw malformed('A completion is of a kind that is none of 1, 2 and 3.')
  }
}

function call(elements: Elements): {
  readonly target: string
  readonly arguments: readonly unknown[]
  readonly streamIds?: readonly string[]
  readonly headers?: Headers
} {
  const [, , , , args, streamIds] = elements
  if (!Array.isArray(args)) throw malformed("Expected 'arguments' to be an array.")
  if (streamIds !== undefined && streamIds !== null && !isStrings(streamIds)) {
    throw malformed("Expected 'streamIds' to be an array of strings.")
  }
  return {
    target: required(elements, 3, 'target'),
    arguments: args,
    ...(streamIds && streamIds.length > 0 ? { streamIds } : {}),
    ...optional('headers', readHeaders(elements)),
  }
}

function answer(elements: Elements): { readonly invocationId: string; readonly headers?: Headers } {
  return { invocationId: required(elements, 2, 'invocationId'), ...optional('headers', readHeaders(elements)) }
}

/** Undefined where there are none: on this wire an empty map stands for that. */
function readHeaders(elements: Elements): Headers | undefined {
  const value = elements[1]
  if (value === null) return undefined
  if (!isMap(value)) throw malformed("Expected 'headers' to be a map.")
  const values = Object.values(value)
  if (!isStrings(values)) throw malformed("Expected the values of 'headers' to be strings.")
  return values.length > 0 ? (value as Headers) : undefined
}

function allowReconnect(value: unknown): { readonly allowReconnect?: boolean } {
  if (value === undefined || value === null) return {}
  if (typeof value !== 'boolean') throw malformed("Expected 'allowReconnect' to be a boolean.")
  return { allowReconnect: value }
}

function sequenceId(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw malformed("Expected 'sequenceId' to be an integer.")
  }
  return value
}

function requireLength(elements: Elements, lengthMin: number): void {
  if (elements.length >= lengthMin) return
  throw malformed(`A message of type ${String(elements[0])} has at least ${lengthMin} elements; there are fewer.`)
}

function required(elements: Elements, index: number, name: string): string {
  const value = text(elements, index, name)
  if (value === undefined) throw malformed(`Expected '${name}' to be a string.`)
  return value
}

function text(elements: Elements, index: number, name: string): string | undefined {
  const value = elements[index]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw malformed(`Expected '${name}' to be a string.`)
  return value
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in Name]?: Value }
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function malformed(message: string): ProtocolError {
  return new ProtocolError('malformed', message)
}
