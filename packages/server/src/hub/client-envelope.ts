import { isJsonTooDeep } from '@serverchannel/protocol'
import { ChannelError } from '../channel/channel-error.ts'
import type { ClientMessage } from '../channel/client-message.ts'
import { isServerSender } from '../channel/reserved-senders.ts'

/** A message as clients write it. Source: PARITY 1.2, `SimpleMessage`. */
export interface ClientEnvelope {
  /** Left out or empty: the server makes one. */
  readonly Id?: string | null
  readonly Header: {
    readonly Sender: string
    readonly BodyTypeName?: string | null
    readonly ChannelType?: string | null
  }
  /** Any JSON value; left out, it is null. */
  readonly Body?: unknown
}

export interface EnvelopeLimits {
  readonly nameLengthMax: number
  readonly depthMax: number
}

/** Levels that an envelope adds around its body. */
const ENVELOPE_DEPTH = 1

/** The message that an envelope's JSON text holds. @throws ChannelError that says what is wrong with it */
export function parseRawEnvelope(text: unknown, limits: EnvelopeLimits, createId: () => string): ClientMessage {
  if (typeof text !== 'string') throw invalid(`A raw message is JSON text, not ${kindOf(text)}.`)
  if (isJsonTooDeep(text, limits.depthMax + ENVELOPE_DEPTH)) {
    throw new ChannelError('body_too_deep', `The body nests deeper than ${limits.depthMax} levels.`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ChannelError('message_invalid', 'The raw message is not JSON.', { cause })
  }
  return parseEnvelope(value, limits, createId)
}

/**
 * The message that an envelope holds. Nothing is kept of what it has besides: least of all who sent it, which the server
 * itself knows. @throws ChannelError that says what is wrong with it
 */
export function parseEnvelope(value: unknown, limits: EnvelopeLimits, createId: () => string): ClientMessage {
  if (!isObject(value)) throw invalid(`A message is an object with 'Header' and 'Body', not ${kindOf(value)}.`)
  const header = member(value, 'Header')
  if (!isObject(header)) throw invalid(`'Header' needs to be an object with 'Sender'; it is ${kindOf(header)}.`)
  const { nameLengthMax } = limits
  const sender = member(header, 'Sender')
  if (!isText(sender, nameLengthMax) || sender === '') {
    throw new ChannelError('sender_invalid', needsText('Header.Sender', 1, nameLengthMax, sender))
  }
  if (isServerSender(sender)) {
    throw new ChannelError('sender_reserved', `Only the server sends under '${sender}'; use another sender.`)
  }
  const id = optionalText(value, 'Id', 'Id', nameLengthMax)
  const body = member(value, 'Body')
  requireJson(body)
  return {
    id: id || createId(),
    sender,
    body: body === undefined ? null : body,
    bodyTypeName: optionalText(header, 'BodyTypeName', 'Header.BodyTypeName', nameLengthMax),
    channelType: optionalText(header, 'ChannelType', 'Header.ChannelType', nameLengthMax),
  }
}

type Members = Readonly<Record<string, unknown>>

/** In PascalCase, or in camelCase, as .NET's clients write it where nothing else was configured (SIGNALR 2.8 J5). */
function member(object: Members, name: string): unknown {
  const camelName = name.charAt(0).toLowerCase() + name.slice(1)
  for (const key of [name, camelName]) if (Object.hasOwn(object, key)) return object[key]
  return undefined
}

function optionalText(object: Members, name: string, path: string, lengthMax: number): string | undefined {
  const value = member(object, name)
  if (value === undefined || value === null) return undefined
  if (isText(value, lengthMax)) return value
  throw new ChannelError(name === 'Id' ? 'id_invalid' : 'message_invalid', needsText(path, 0, lengthMax, value))
}

/** MessagePack has values that JSON has not, and JSON text numbers that no value holds: they would arrive as others. */
function requireJson(value: unknown): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new ChannelError('body_not_json', 'A number in the body is infinite or none.')
  }
  if (value instanceof Uint8Array) {
    throw new ChannelError('body_not_json', 'The body holds bytes, which JSON has not: send them as text, in base64.')
  }
  if (Array.isArray(value)) value.forEach(requireJson)
  else if (isObject(value)) Object.values(value).forEach(requireJson)
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown, lengthMax: number): value is string {
  return typeof value === 'string' && value.length <= lengthMax
}

function needsText(path: string, lengthMin: number, lengthMax: number, value: unknown): string {
  return `'${path}' needs to be a string of ${lengthMin} to ${lengthMax} characters; it is ${kindOf(value)}.`
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (typeof value === 'string') return `a string of ${value.length}`
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`
}

function invalid(detail: string): ChannelError {
  return new ChannelError('message_invalid', detail)
}
