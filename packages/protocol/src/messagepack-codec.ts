import { BinaryFraming, frameBinary } from './binary-framing.ts'
import type { Codec, CodecReader, ReadLimits } from './codec.ts'
import { type HubMessage, MessageType } from './hub-message.ts'
import { SERVER_MESSAGE_TARGET } from './message.ts'
import { toElements, toHubMessage } from './messagepack-message.ts'
import { decodeMessagePack, encodeMessagePack } from './messagepack-value.ts'

/**
 * The hub protocol as MessagePack. Source: SIGNALR 3; HubProtocol.md, "MessagePack encoding".
 *
 * Values are those of JSON, and bytes as `Uint8Array` and moments as `Date` besides. A property that is undefined is left
 * out, as in JSON; `toJSON` is not asked. Half a surrogate pair, which UTF-8 can't hold, becomes U+FFFD. Integers beyond
 * 53 bits are read as the nearest double, as `JSON.parse` reads them. Where `encode` meets a bigint, a function or a
 * symbol it throws a TypeError, and a RangeError where a `Date` is invalid.
 */
export const messagePackCodec: Codec<Uint8Array> = {
  name: 'messagepack',
  transferFormat: 'Binary',
  encode(message) {
    return frameBinary(encodeMessagePack(toElements(message)))
  },
  encodeServerMessage({ id, sender, bodyTypeName, channelType, sentBy, body, position }) {
    const message = {
      Id: id,
      Header: {
        Sender: sender,
        // A property that is undefined is left out.
        BodyTypeName: bodyTypeName || undefined,
        ChannelType: channelType || undefined,
        SentBy: sentBy,
      },
      Body: JSON.parse(body) as unknown,
      Position: position,
    }
    const call = { type: MessageType.Invocation, target: SERVER_MESSAGE_TARGET, arguments: [message] } as const
    return frameBinary(encodeMessagePack(toElements(call)))
  },
  createReader(limits) {
    return new MessagePackReader(limits)
  },
}

class MessagePackReader implements CodecReader<Uint8Array> {
  readonly #limits: ReadLimits
  readonly #framing: BinaryFraming

  constructor(limits: ReadLimits) {
    this.#limits = limits
    this.#framing = new BinaryFraming(limits.messageBytesMax)
  }

  *read(data: Uint8Array): Generator<HubMessage, void, undefined> {
    for (const bytes of this.#framing.read(plain(data))) {
      const message = toHubMessage(decodeMessagePack(bytes, this.#limits))
      if (message) yield message
    }
  }
}

/** The same bytes, of no subclass: a Node Buffer's parts would be Buffers, which `slice` does not copy. */
function plain(data: Uint8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
