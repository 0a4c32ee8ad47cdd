import { randomUUID } from 'node:crypto'
import {
  type Codec,
  type CodecReader,
  encodeMessage,
  type HubMessage,
  MessageType,
  ProtocolError,
  RECORD_SEPARATOR,
  type ReadLimits,
  SERVER_MESSAGE_TARGET,
} from '@serverchannel/protocol'
import { reservedSenders } from '../channel/reserved-senders.ts'

/**
 * The channel without SignalR: messages as JSON and nothing else, as Creatio's .NET Framework edition sends them. What a
 * client sends is a message too, and taken as by the hub's `SendRawMessage`; what is wrong with it, it is told by
 * `CommandService`. Records end as in SignalR, so that they can be told apart in a piece of several; `RecordTransport`
 * sends each as a frame of its own. Source: PARITY 3, ".NET Framework edition".
 */
export const rawJsonCodec: Codec<string> = {
  name: 'raw-json',
  transferFormat: 'Text',
  encodeServerMessage: (envelope) => encodeMessage(envelope) + RECORD_SEPARATOR,
  encode: encodeRecord,
  createReader: (limits) => new RawJsonReader(limits),
}

/** Each piece that comes is one message. */
class RawJsonReader implements CodecReader<string> {
  readonly #limits: ReadLimits
  #count = 0

  constructor(limits: ReadLimits) {
    this.#limits = limits
  }

  *read(data: string): Generator<HubMessage, void, undefined> {
    const { messageBytesMax } = this.#limits
    if (Buffer.byteLength(data) > messageBytesMax) {
      throw new ProtocolError('too-large', `A message has more than ${messageBytesMax} bytes.`)
    }
    // With an id, so that there is an answer where it is refused.
    const invocationId = `${++this.#count}`
    yield { type: MessageType.Invocation, target: 'SendRawMessage', arguments: [data], invocationId }
  }
}

function encodeRecord(message: HubMessage): string {
  switch (message.type) {
    case MessageType.Invocation:
      // The state of the channel, which is all else, it knows nothing of: that is a sign of life.
      return (message.target === SERVER_MESSAGE_TARGET ? JSON.stringify(message.arguments[0]) : '') + RECORD_SEPARATOR
    case MessageType.Completion:
    case MessageType.Close:
      return message.error === undefined ? '' : encodeComplaint(message.error)
    case MessageType.Ping:
      return RECORD_SEPARATOR
    case MessageType.StreamItem:
    case MessageType.StreamInvocation:
    case MessageType.CancelInvocation:
    case MessageType.Ack:
    case MessageType.Sequence:
      return ''
    default:
      return message satisfies never
  }
}

function encodeComplaint(error: string): string {
  const Header = { Sender: reservedSenders.commandService, BodyTypeName: 'System.String' }
  const Body = error.replace(/^.*?HubException: /s, '')
  return JSON.stringify({ Id: randomUUID(), Header, Body }) + RECORD_SEPARATOR
}
