import { expectThat, Failure } from './check.ts'
import { decode, encode } from './messagepack.ts'

/** A hub message with the names of the JSON protocol, whatever it is encoded in. Source: SIGNALR 2.8 and 3. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: number }

export type ProtocolName = 'json' | 'messagepack'

/** Messages to bytes, and bytes back to whole messages. */
export interface Protocol {
  readonly name: ProtocolName
  encode(message: Message): string | Buffer
  /** The first message of the bytes, and how many it takes; undefined where it is not whole. */
  decode(bytes: Buffer): { readonly message: Message; readonly length: number } | undefined
}

export const SEPARATOR = '\x1e'

const json: Protocol = {
  name: 'json',
  encode: (message) => JSON.stringify(message) + SEPARATOR,
  decode(bytes) {
    const end = bytes.indexOf(SEPARATOR)
    if (end === -1) return undefined
    const text = bytes.toString('utf8', 0, end)
    try {
      return { message: JSON.parse(text) as Message, length: end + 1 }
    } catch {
      throw new Failure('a hub message as JSON', text)
    }
  },
}

const messagePack: Protocol = {
  name: 'messagepack',
  encode: (message) => frame(encode(toArray(message))),
  decode(bytes) {
    const size = readLength(bytes)
    if (!size || bytes.length < size.start + size.length) return undefined
    const body = bytes.subarray(size.start, size.start + size.length)
    return { message: fromArray(decode(body)), length: size.start + size.length }
  },
}

export const protocols: Readonly<Record<ProtocolName, Protocol>> = { json, messagepack: messagePack }

/** Puts the length before a body: 7 bits a byte, the lowest first. */
export function frame(body: Buffer): Buffer {
  const length: number[] = []
  for (let rest = body.length; ; rest >>>= 7) {
    if (rest < 128) return Buffer.concat([Buffer.of(...length, rest), body])
    length.push((rest & 127) | 128)
  }
}

function readLength(bytes: Buffer): { readonly length: number; readonly start: number } | undefined {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i]
    if (byte === undefined) return undefined
    length += (byte & 127) * 2 ** (7 * i)
    if (byte < 128) return { length, start: i + 1 }
  }
  throw new Failure('a length of at most 5 bytes', bytes.toString('hex', 0, 8))
}

function toArray(message: Message): unknown[] {
  const { type, invocationId, target, arguments: args, streamIds, item, error, result, sequenceId } = message
  switch (type) {
    case 1:
    case 4:
      return [type, {}, invocationId, target, args, ...(streamIds ? [streamIds] : [])]
    case 2:
      return [type, {}, invocationId, item]
    case 3:
      if (error !== undefined) return [type, {}, invocationId, 1, error]
      return 'result' in message ? [type, {}, invocationId, 3, result] : [type, {}, invocationId, 2]
    case 5:
      return [type, {}, invocationId]
    case 7:
      return [type, error]
    case 8:
    case 9:
      return [type, sequenceId]
    default:
      return [type]
  }
}

function fromArray(value: unknown): Message {
  expectThat(Array.isArray(value), 'an array', value)
  const [type, second, third, fourth, fifth, sixth]: readonly unknown[] = value
  expectThat(typeof type === 'number', 'an array that begins with a type', value)
  const invocationId = third === null ? {} : { invocationId: third }
  switch (type) {
    case 1:
    case 4: {
      const hasStreams = Array.isArray(sixth) && sixth.length > 0
      return { type, ...invocationId, target: fourth, arguments: fifth, ...(hasStreams ? { streamIds: sixth } : {}) }
    }
    case 2:
      return { type, ...invocationId, item: fourth }
    case 3:
      if (fourth === 2) return { type, ...invocationId }
      return fourth === 1 ? { type, ...invocationId, error: fifth } : { type, ...invocationId, result: fifth }
    case 5:
      return { type, ...invocationId }
    case 7:
      return { type, ...(second === null ? {} : { error: second }), ...(third ? { allowReconnect: true } : {}) }
    case 8:
    case 9:
      return { type, sequenceId: second }
    default:
      return { type }
  }
}
