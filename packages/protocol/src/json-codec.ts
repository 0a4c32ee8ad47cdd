import type { Codec, CodecReader, Envelope, ReadLimits } from './codec.ts'
import { type HubMessage, MessageType } from './hub-message.ts'
import { isJsonTooDeep } from './json-depth.ts'
import { SERVER_MESSAGE_TARGET } from './message.ts'
import { ProtocolError } from './protocol-error.ts'
import { RECORD_SEPARATOR, TextFraming } from './text-framing.ts'

/** The hub protocol as JSON text. Source: SIGNALR 2.8; HubProtocol.md, "JSON encoding". */
export const jsonCodec: Codec<string> = {
  name: 'json',
  transferFormat: 'Text',
  encode(message) {
    // `type` stands first in every literal of the union's members that we build, as in .NET's output.
    return JSON.stringify(message) + RECORD_SEPARATOR
  },
  encodeServerMessage(envelope) {
    return SERVER_MESSAGE_HEAD + encodeMessage(envelope) + SERVER_MESSAGE_END
  },
  createReader(limits) {
    return new JsonReader(limits)
  },
}

const SERVER_MESSAGE_HEAD = `{"type":1,"target":"${SERVER_MESSAGE_TARGET}","arguments":[`
const SERVER_MESSAGE_END = `]}${RECORD_SEPARATOR}`

/** A `Message` as JSON text, with nothing in it that is empty and no line end. */
export function encodeMessage({ id, sender, bodyTypeName, channelType, sentBy, body, position }: Envelope): string {
  // Joined, not made of an object: that would cost every message half as much again.
  let header = JSON.stringify(sender)
  if (bodyTypeName) header += `,"BodyTypeName":${JSON.stringify(bodyTypeName)}`
  if (channelType) header += `,"ChannelType":${JSON.stringify(channelType)}`
  if (sentBy) header += `,"SentBy":${JSON.stringify(sentBy)}`
  return `{"Id":${JSON.stringify(id)},"Header":{"Sender":${header}},"Body":${body},"Position":${JSON.stringify(position)}}`
}

class JsonReader implements CodecReader<string> {
  readonly #limits: ReadLimits
  readonly #framing: TextFraming

  constructor(limits: ReadLimits) {
    this.#limits = limits
    this.#framing = new TextFraming(limits.messageBytesMax)
  }

  *read(data: string): Generator<HubMessage, void, undefined> {
    for (const record of this.#framing.read(data)) {
      const message = this.#parse(record)
      if (message) yield message
    }
  }

  #parse(record: string): HubMessage | undefined {
    const { depthMax } = this.#limits
    if (isJsonTooDeep(record, depthMax)) {
      throw new ProtocolError('too-deep', `The message nests deeper than ${depthMax} levels.`)
    }
    let value: unknown
    try {
      value = JSON.parse(record)
    } catch (cause) {
      throw new ProtocolError('malformed', 'The message is not JSON.', { cause })
    }
    if (!isObject(value)) throw malformed('The message is not a JSON object.')
    return toHubMessage(value)
  }
}

type Properties = Readonly<Record<string, unknown>>

/** The hub message that the properties make; undefined where the type is none that we know. */
function toHubMessage(properties: Properties): HubMessage | undefined {
  const { type } = properties
  if (typeof type !== 'number') throw malformed("Missing required property 'type'. Expected a number.")
  switch (type) {
    case MessageType.Invocation:
      return (
        plainInvocation(properties) ?? {
          type,
          ...optional('invocationId', text(properties, 'invocationId')),
          ...call(properties),
        }
      )
    case MessageType.StreamItem:
      if (properties.item === undefined) throw malformed("Missing required property 'item'.")
      return { type, ...answer(properties), item: properties.item }
    case MessageType.Completion:
      return completion(properties)
    case MessageType.StreamInvocation:
      return { type, invocationId: required(properties, 'invocationId'), ...call(properties) }
    case MessageType.CancelInvocation:
      return { type, ...answer(properties) }
    case MessageType.Ping:
      return { type }
    case MessageType.Close:
      return { type, ...optional('error', text(properties, 'error')), ...allowReconnect(properties) }
    case MessageType.Ack:
    case MessageType.Sequence:
      return { type, sequenceId: sequenceId(properties) }
    default:
      return undefined
  }
}

/** Most calls have nothing but what every call has: these are made in one piece, at a third of the cost. */
function plainInvocation({
  invocationId,
  target,
  arguments: args,
  streamIds,
  headers: sent,
}: Properties): HubMessage | undefined {
  if (typeof target !== 'string' || !Array.isArray(args) || streamIds !== undefined || sent !== undefined)
    return undefined
  if (typeof invocationId === 'string') return { type: MessageType.Invocation, invocationId, target, arguments: args }
  return invocationId === undefined ? { type: MessageType.Invocation, target, arguments: args } : undefined
}

function completion(properties: Properties): HubMessage {
  const error = text(properties, 'error')
  if (error !== undefined && properties.result !== undefined) {
    throw malformed("The 'error' and 'result' properties are mutually exclusive.")
  }
  return {
    type: MessageType.Completion,
    ...answer(properties),
    ...optional('result', properties.result),
    ...optional('error', error),
  }
}

function call(properties: Properties): {
  readonly target: string
  readonly arguments: readonly unknown[]
  readonly streamIds?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
} {
  const args = properties.arguments
  if (!Array.isArray(args)) throw malformed("Missing required property 'arguments'. Expected an array.")
  const { streamIds } = properties
  if (streamIds !== undefined && streamIds !== null && !isStrings(streamIds)) {
    throw malformed("Expected 'streamIds' to be an array of strings.")
  }
  return {
    target: required(properties, 'target'),
    arguments: args,
    ...(streamIds ? { streamIds } : {}),
    ...optional('headers', headers(properties)),
  }
}

function answer(properties: Properties): {
  readonly invocationId: string
  readonly headers?: Readonly<Record<string, string>>
} {
  return { invocationId: required(properties, 'invocationId'), ...optional('headers', headers(properties)) }
}

function headers(properties: Properties): Readonly<Record<string, string>> | undefined {
  const value = properties.headers
  if (value === undefined || value === null) return undefined
  if (!isObject(value)) throw malformed("Expected 'headers' to be an object.")
  if (!isStrings(Object.values(value))) throw malformed("Expected the values of 'headers' to be strings.")
  return value as Record<string, string>
}

function allowReconnect(properties: Properties): { readonly allowReconnect?: boolean } {
  const value = properties.allowReconnect
  if (value === undefined || value === null) return {}
  if (typeof value !== 'boolean') throw malformed("Expected 'allowReconnect' to be a boolean.")
  return { allowReconnect: value }
}

function sequenceId(properties: Properties): number {
  const value = properties.sequenceId
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw malformed("Missing required property 'sequenceId'. Expected an integer.")
  }
  return value
}

function required(properties: Properties, name: string): string {
  const value = text(properties, name)
  if (value === undefined) throw malformed(`Missing required property '${name}'. Expected a string.`)
  return value
}

function text(properties: Properties, name: string): string | undefined {
  const value = properties[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw malformed(`Expected '${name}' to be a string.`)
  return value
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in Name]?: Value }
}

function isObject(value: unknown): value is Properties {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function malformed(message: string): ProtocolError {
  return new ProtocolError('malformed', message)
}
