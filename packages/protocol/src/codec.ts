import type { HubMessage } from './hub-message.ts'
import type { MessageOrigin } from './message.ts'

/** What a reader refuses, so that a peer's input costs little. */
export interface ReadLimits {
  /** Bytes of one hub message, without its framing. */
  readonly messageBytesMax: number
  /** Levels of arrays and objects in one hub message. */
  readonly depthMax: number
}

/** Takes one peer's bytes as they come and gives the hub messages in them. Keeps what is not whole yet. */
export interface CodecReader<Data> {
  /**
   * The messages that are whole with this data, one at a time as the caller asks for them. An unknown type is passed
   * over (SIGNALR 0.5).
   *
   * @throws ProtocolError where the peer broke the protocol or a limit; the reader is of no use after that.
   */
  read(data: Data): Generator<HubMessage, void, undefined>
}

/** A channel's message with its body already encoded, so that a body is encoded once for all codecs' sake at intake. */
export interface Envelope {
  readonly id: string
  readonly sender: string
  readonly bodyTypeName?: string | undefined
  readonly channelType?: string | undefined
  readonly sentBy?: MessageOrigin | undefined
  /** JSON text. */
  readonly body: string
  /** As {@link formatPosition} writes it. */
  readonly position: string
}

/** One encoding of the hub protocol. A seam: JSON and MessagePack pass the same contract suite. */
export interface Codec<Data extends string | Uint8Array = string | Uint8Array> {
  /** As the handshake names it. */
  readonly name: 'json' | 'messagepack' | 'event-stream' | 'raw-json'
  readonly transferFormat: 'Text' | 'Binary'
  /** The message with its framing, ready to be sent or joined to others. */
  encode(message: HubMessage): Data
  /** The call of `ServerMessage` that brings this message to a client, with its framing. */
  encodeServerMessage(envelope: Envelope): Data
  createReader(limits: ReadLimits): CodecReader<Data>
}
