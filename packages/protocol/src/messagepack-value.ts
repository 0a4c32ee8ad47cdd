import {
  Decoder,
  decodeTimestampExtension,
  Encoder,
  EXT_TIMESTAMP,
  ExtData,
  type ExtensionCodecType,
  encodeTimestampExtension,
} from '@msgpack/msgpack'
import type { ReadLimits } from './codec.ts'
import { Finding, scanMessagePack } from './messagepack-scan.ts'
import { ProtocolError } from './protocol-error.ts'

/** A body as deep as the server's options allow, with what stands around it. Far below where the stack would end. */
const ENCODED_DEPTH_MAX = 1000
/** An encoder whose buffer has grown past this is let go, so that one large message does not stay in memory. */
const KEPT_BUFFER_BYTES_MAX = 1_048_576

/** Timestamps are the one extension. What JSON's types do not have, and no client reads, is refused. */
const extensionCodec: ExtensionCodecType<undefined> = {
  tryToEncode(value) {
    if (value instanceof Date) {
      if (Number.isNaN(value.getTime())) throw new RangeError("An invalid Date can't be sent.")
      const data = encodeTimestampExtension(value)
      return data && new ExtData(EXT_TIMESTAMP, data)
    }
    if (typeof value === 'bigint') throw new TypeError("A bigint can't be sent. Send it as a string or as a number.")
    if (typeof value !== 'object') throw new TypeError(`A ${typeof value} can't be sent.`)
    return null
  },
  decode(data) {
    const date = decodeTimestampExtension(data)
    if (Number.isNaN(date.getTime())) throw new RangeError('The timestamp is beyond what a Date can hold.')
    return date
  },
}

let encoder = createEncoder()

/** The value's bytes. A view of a buffer that the next call writes to. @throws TypeError, RangeError (see the codec) */
export function encodeMessagePack(value: unknown): Uint8Array {
  const bytes = encoder.encodeSharedRef(value)
  // The encoder writes half a surrogate pair as if it were a character, which is not UTF-8.
  if (mayHoldSurrogates(bytes)) scanMessagePack(bytes, Number.POSITIVE_INFINITY, Finding.Surrogates)
  if (bytes.buffer.byteLength > KEPT_BUFFER_BYTES_MAX) encoder = createEncoder()
  return bytes
}

/**
 * The value that the bytes are. It holds no view of them.
 *
 * @throws ProtocolError `too-deep`, or `malformed`, also where bytes remain
 */
export function decodeMessagePack(bytes: Uint8Array, limits: ReadLimits): unknown {
  const findings = scanMessagePack(bytes, limits.depthMax)
  let safe = bytes
  if (findings !== 0) {
    // A value of bytes is a view of what is decoded: of a copy, so that it keeps no more than its message alive and
    // nobody writes to it. And what the peer sent is not ours to mend.
    safe = bytes.slice()
    if (findings !== Finding.Binary) scanMessagePack(safe, limits.depthMax, findings)
  }
  let value: unknown
  try {
    value = decoderFor(limits.messageBytesMax).decode(safe)
  } catch (cause) {
    throw new ProtocolError('malformed', 'The message is not MessagePack that can be read.', { cause })
  }
  return findings & Finding.ProtoKey ? withProtoKeys(value) : value
}

/** Whether it is what a MessagePack map becomes. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date)
  )
}

function createEncoder(): Encoder {
  return new Encoder({ extensionCodec, ignoreUndefined: true, maxDepth: ENCODED_DEPTH_MAX })
}

let decoder: Decoder | undefined
let decoderBytesMax = 0

/** One for all readers, as they have the same limit: a decoder holds on to what it decoded last. */
function decoderFor(bytesMax: number): Decoder {
  if (!decoder || decoderBytesMax !== bytesMax) {
    decoder = new Decoder({
      extensionCodec,
      maxStrLength: bytesMax,
      maxBinLength: bytesMax,
      maxArrayLength: bytesMax,
      maxMapLength: bytesMax,
      maxExtLength: bytesMax,
    })
    decoderBytesMax = bytesMax
  }
  return decoder
}

/** Whether the first two bytes of half a surrogate pair stand anywhere, be it in text or not. */
function mayHoldSurrogates(bytes: Uint8Array): boolean {
  let at = bytes.indexOf(0xed)
  while (at !== -1) {
    if ((bytes[at + 1] ?? 0) >= 0xa0) return true
    at = bytes.indexOf(0xed, at + 1)
  }
  return false
}

/** What the bytes that the scan writes in place of a key `__proto__` are decoded to. In no peer's text: see the scan. */
const PROTO_STAND_IN = '\ud800\ud800\ud800'

/** The same with keys `__proto__` where they stood, as properties like any other. Not deeper than the scan allows. */
function withProtoKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withProtoKeys)
  if (!isMap(value)) return value
  const entries = Object.entries(value)
  return Object.fromEntries(
    entries.map(([key, item]) => [key === PROTO_STAND_IN ? '__proto__' : key, withProtoKeys(item)]),
  )
}
