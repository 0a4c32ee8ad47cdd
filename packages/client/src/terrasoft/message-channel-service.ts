import type { Message, MessageOrigin } from '@serverchannel/protocol'
import { EventName, ServerChannelSender } from './constants.ts'
import { decodeBody } from './decode-body.ts'
import { NullOrEmptyException } from './exceptions.ts'
import type { ServerChannel } from './server-channel.ts'

/** Whom a message is for that a page sends, where the server's policy allows it. Source: PARITY 2.5. */
export const MessageChannelType = {
  /** The same user. */
  PTP: 'PTPMsg',
  /** All users. */
  BROADCAST: 'BroadcastMsg',
  /** The server. */
  SERVER: 'ServerMsg',
} as const

/** One of `MessageChannelType`. */
export type MessageChannelType = (typeof MessageChannelType)[keyof typeof MessageChannelType]

/** A message as `subscribe` hands it out. Source: PARITY 2.5. */
export interface MessageChannelEvent<Body = unknown> {
  readonly header: {
    readonly sender: string
    /** Empty where the message has none. */
    readonly bodyTypeName: string
    /** Which client sent it, as the server knows; left out where the server's own code posted it. */
    readonly sentBy?: MessageOrigin
  }
  /** Parsed, where it came as JSON text. */
  readonly body: Body
  readonly id: string
  /** The body came as a text that is no JSON, and is that text. */
  readonly isText: boolean
}

/** What `subscribe` resolves to. */
export interface Subscription {
  readonly closed: boolean
  /** Idempotent. */
  unsubscribe(): void
}

/**
 * The message channel in the shape of Creatio's SDK. Source: PARITY 2.5.
 *
 * @example
 * const subscription = await service.subscribe('OrderChanged', (event) => refresh(event.body.id))
 * await service.sendMessage('Draft', { id: 7 }, MessageChannelType.PTP)
 * subscription.unsubscribe()
 */
export class MessageChannelService {
  readonly #channel: ServerChannel

  constructor(channel: ServerChannel) {
    this.#channel = channel
  }

  /**
   * Calls back with each message of this sender, compared exactly. What the callback throws is reported.
   *
   * @throws NullOrEmptyException without a sender or callback; TypeError where the sender is one that has an event of its own.
   */
  subscribe<Body = unknown>(
    sender: string,
    callback: (event: MessageChannelEvent<Body>) => void,
  ): Promise<Subscription> {
    return promised(() => this.#subscribe(sender, callback))
  }

  /**
   * Sends any JSON value. Rejects where the server takes it not: by default it lets pass nothing.
   *
   * @throws NullOrEmptyException without a sender; TypeError where the body is no JSON value.
   */
  async sendMessage(sender: string, body: unknown, channelType: MessageChannelType): Promise<void> {
    if (!sender) throw new NullOrEmptyException('A message needs a sender.')
    const text: string | undefined = JSON.stringify(body)
    if (text === undefined) throw new TypeError(`A body that is ${typeof body} can't be sent: it is no JSON value.`)
    const message = this.#channel.createMessageObject()
    // As text, so that a string comes back as itself from a reader that parses.
    const Header = { Sender: sender, BodyTypeName: 'System.String', ChannelType: channelType }
    await this.#channel.postRawMessage(JSON.stringify({ ...message, Header, Body: text }))
  }

  #subscribe<Body>(sender: string, callback: (event: MessageChannelEvent<Body>) => void): Subscription {
    if (!sender || typeof callback !== 'function') throw new NullOrEmptyException('subscribe(sender, callback)')
    if (sender === ServerChannelSender.BROADCAST_MESSAGE || sender === ServerChannelSender.PTP_MESSAGE) {
      throw new TypeError(`'${sender}' is a channel type, no sender: use Terrasoft.ServerChannel.on('${sender}', …).`)
    }
    const listener = (_channel: ServerChannel, message: Message): void => {
      if (message.Header.Sender === sender) callback(toEvent(message))
    }
    this.#channel.on(EventName.ON_MESSAGE, listener)
    let closed = false
    return {
      get closed() {
        return closed
      },
      unsubscribe: () => {
        closed = true
        this.#channel.un(EventName.ON_MESSAGE, listener)
      },
    }
  }
}

function toEvent<Body>({ Id, Header, Body: posted }: Message): MessageChannelEvent<Body> {
  const body = decodeBody(posted)
  // No JSON text is that of itself.
  const isText = typeof posted === 'string' && body === posted
  const { Sender: sender, BodyTypeName: bodyTypeName = '', SentBy: sentBy } = Header
  // What is posted under a sender is agreed between the two ends; the types say what the page expects.
  return { header: { sender, bodyTypeName, ...(sentBy ? { sentBy } : {}) }, body: body as Body, id: Id, isText }
}

/** What it throws is a rejection. It runs at once, so that nothing is missed. */
function promised<Result>(run: () => Result): Promise<Result> {
  return new Promise((resolve) => resolve(run()))
}
