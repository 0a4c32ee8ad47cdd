import {
  CHANNEL_STATE_TARGET,
  type Codec,
  type CodecReader,
  encodeMessage,
  formatPosition,
  type HubMessage,
  MessageType,
} from '@serverchannel/protocol'

/**
 * The channel as a plain event stream, for clients without any SDK: each message an event with its JSON and its position
 * as the event's id, which `EventSource` sends back as `Last-Event-ID`. JSON holds no line ends, so none can be smuggled in.
 * Source: HTML, "Server-sent events"; DESIGN §5.
 */
export const eventStreamCodec: Codec<string> = {
  name: 'event-stream',
  transferFormat: 'Text',
  encodeServerMessage: (envelope) => `id: ${envelope.position}\r\ndata: ${encodeMessage(envelope)}\r\n\r\n`,
  encode: encodeEvent,
  createReader: (): CodecReader<string> => ({
    *read() {
      // Nothing comes from the client of an event stream.
    },
  }),
}

function encodeEvent(message: HubMessage): string {
  switch (message.type) {
    case MessageType.Ping:
      return ':\r\n\r\n'
    case MessageType.Close:
      return `event: Close\r\ndata: ${JSON.stringify({ error: message.error })}\r\n\r\n`
    case MessageType.Invocation: {
      const [argument] = message.arguments
      const id =
        message.target === CHANNEL_STATE_TARGET && isState(argument)
          ? `id: ${formatPosition(argument.epoch, argument.offset)}\r\n`
          : ''
      return `${id}event: ${message.target}\r\ndata: ${JSON.stringify(argument ?? null)}\r\n\r\n`
    }
    case MessageType.StreamItem:
    case MessageType.Completion:
    case MessageType.StreamInvocation:
    case MessageType.CancelInvocation:
    case MessageType.Ack:
    case MessageType.Sequence:
      return ''
    default:
      return message satisfies never
  }
}

function isState(value: unknown): value is { readonly epoch: string; readonly offset: number } {
  return typeof value === 'object' && value !== null && 'epoch' in value && 'offset' in value
}
