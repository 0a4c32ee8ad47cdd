import { isDeepStrictEqual } from 'node:util'
import { type Codec, type HubMessage, jsonCodec, ProtocolError, type ReadLimits } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'

export type CodecName = 'json' | 'messagepack'

/** Small, so that inputs reach them. */
const LIMITS: ReadLimits = { messageBytesMax: 2048, depthMax: 12 }
/** What was read may be longer when it is written: 1e20 as 100000000000000000000. */
const WRITTEN_LIMITS: ReadLimits = { ...LIMITS, messageBytesMax: 262_144 }
/** Some hundred times what an input takes. */
const FIXED_MS_MAX = 5
const BYTE_MS_MAX = 0.02
const TIMED_AGAIN = 5

/** An input on which a codec does not keep its promise. */
export class Flaw extends Error {
  override readonly name = 'Flaw'
}

/** What an input ended in, so that a caller can see that inputs of both kinds were tried. */
export interface Verdict {
  readonly messages: number
  readonly error: ProtocolError['code'] | undefined
}

/**
 * Reads the input as a peer's bytes and holds the codec to its promises: messages or a `ProtocolError`, the same ones
 * however the input is cut, in time of its length; and what was read and is written again reads as equal.
 *
 * @throws Flaw
 */
export function judge(name: CodecName, input: Uint8Array): Verdict {
  return name === 'json'
    ? judgeCodec(jsonCodec, Buffer.from(input).toString(), (data, start, end) => data.slice(start, end))
    : judgeCodec(messagePackCodec, input, (data, start, end) => data.subarray(start, end))
}

type Part<Data> = (data: Data, start: number, end?: number) => Data

/** The same for any codec and its data. */
export function judgeCodec<Data extends string | Uint8Array>(
  codec: Codec<Data>,
  data: Data,
  part: Part<Data>,
): Verdict {
  const whole = readTimed(codec, data)
  const cut = read(codec, cutUp(data, part), LIMITS)
  if (!isDeepStrictEqual(cut, whole)) throw new Flaw('Cut into pieces, the input reads as something else.')
  for (const message of whole.messages) requireRoundTrip(codec, message)
  return { messages: whole.messages.length, error: whole.error }
}

interface Outcome {
  readonly messages: readonly HubMessage[]
  readonly error: ProtocolError['code'] | undefined
}

function read<Data extends string | Uint8Array>(
  codec: Codec<Data>,
  pieces: readonly Data[],
  limits: ReadLimits,
): Outcome {
  const reader = codec.createReader(limits)
  const messages: HubMessage[] = []
  try {
    for (const piece of pieces) for (const message of reader.read(piece)) messages.push(message)
    return { messages, error: undefined }
  } catch (error) {
    if (error instanceof ProtocolError) return { messages, error: error.code }
    throw new Flaw('Reading ended in an error that is no ProtocolError.', { cause: error })
  }
}

function readTimed<Data extends string | Uint8Array>(codec: Codec<Data>, data: Data): Outcome {
  const boundMs = FIXED_MS_MAX + data.length * BYTE_MS_MAX
  let leastMs = Number.POSITIVE_INFINITY
  // Others use the machine too, so an input is slow where it is slow each time.
  for (let attempt = 0; ; attempt++) {
    const start = performance.now()
    const outcome = read(codec, [data], LIMITS)
    leastMs = Math.min(leastMs, performance.now() - start)
    if (leastMs <= boundMs) return outcome
    if (attempt === TIMED_AGAIN) throw new Flaw('Reading took longer than its length allows.')
  }
}

/** At places that the input alone decides; a short input in all places. */
function cutUp<Data extends string | Uint8Array>(data: Data, part: Part<Data>): Data[] {
  const pieces: Data[] = []
  let start = 0
  for (let step = 1; start < data.length; step = data.length <= 24 ? 1 : ((step * 7 + data.length) % 61) + 1) {
    pieces.push(part(data, start, start + step))
    start += step
  }
  return pieces
}

function requireRoundTrip<Data extends string | Uint8Array>(codec: Codec<Data>, message: HubMessage): void {
  let written: Data
  try {
    written = codec.encode(message)
  } catch (cause) {
    throw new Flaw('What was read can not be written.', { cause })
  }
  const { messages, error } = read(codec, [written], WRITTEN_LIMITS)
  const [again] = messages
  if (error !== undefined || !again || messages.length !== 1) throw new Flaw('What was written can not be read.')
  // The long way round, only for the few that need it.
  if (isDeepStrictEqual(again, message) || isDeepStrictEqual(again, asWritten(message, codec.name))) return
  throw new Flaw('What was read and written again reads as something else.')
}

/** The message without the differences that its encoding does not have. */
function asWritten(message: HubMessage, name: Codec['name']): unknown {
  const closing = message.type === 7 && name === 'messagepack' ? { allowReconnect: false } : {}
  return { ...closing, ...(valueAsWritten(message, name) as object) }
}

/** Neither encoding writes -0, and JSON has no infinite numbers. */
function valueAsWritten(value: unknown, name: Codec['name']): unknown {
  if (typeof value === 'number') {
    if (name === 'json' && !Number.isFinite(value)) return null
    return value === 0 ? 0 : value
  }
  if (Array.isArray(value)) return value.map((item) => valueAsWritten(item, name))
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, valueAsWritten(item, name)]))
}
