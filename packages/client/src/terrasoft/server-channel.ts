import type { LossReason, Message } from '@serverchannel/protocol'
import { ChannelError } from '../channel-error.ts'
import { type Channel, connect } from '../connect.ts'
import { createEnvironment, type Environment } from '../environment.ts'
import { resolveHubUrl, withUser } from '../hub-url.ts'
import type { ConnectOptions } from '../options.ts'
import { EventName, ServerChannelSender, SocketConnectionState } from './constants.ts'
import { decodeBody } from './decode-body.ts'
import { Observable } from './observable.ts'

/** How a `ServerChannel` gets its connection. */
export interface ServerChannelOptions extends ConnectOptions {
  /** Of the hub, relative to the page. Default `/msg`. */
  readonly url?: string | undefined
  /** Who the page's user is, for a server in development mode. Default: whom the server makes out. */
  readonly user?: string | undefined
  /** Gets the lines that the original writes to the console: connected, `pong`, what the server said. Default `console.log`. */
  readonly log?: ((line: string) => void) | undefined
}

/** What the handlers of `ServerChannel`'s own events get. */
export interface ServerChannelEvents {
  /** A message came. `Body` is as it was posted: a string is that string, a list an array. */
  message: [channel: ServerChannel, message: Message]
  /**
   * Connected, at first and each time again. `recovered` false: messages were lost, and the page is to load anew what it
   * shows; true: none were; undefined: none could be.
   */
  opened: [channel: ServerChannel, recovery: { readonly recovered?: boolean; readonly reason?: LossReason }]
  /** The connection is gone. `reconnects`: it is being made again. */
  closed: [channel: ServerChannel, end: { readonly error?: ChannelError; readonly reconnects: boolean }]
  error: [channel: ServerChannel, error: ChannelError]
  /** A message of the sender `BroadcastMsg` came, which is no `message`: its body, decoded where it is JSON text. */
  BroadcastMsg: [channel: ServerChannel, body: unknown]
  /** The same of the sender `PTPMsg`. */
  PTPMsg: [channel: ServerChannel, body: unknown]
}

/** A message as a page sends it. */
export interface MessageObject {
  Id?: string
  Header: { Sender: string; BodyTypeName?: string; ChannelType?: string }
  Body?: unknown
}

/** What is sent while there is no connection waits so long for one. */
const SEND_WAIT_MS_MAX = 10_000

/**
 * `Terrasoft.ServerChannel`: the page's channel under Creatio's names. Connects when the first handler is added, or by
 * `init()`. Source: PARITY 2.1, 2.2.
 *
 * @example
 * Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this)
 */
export class ServerChannel extends Observable<ServerChannelEvents> {
  readonly #options: ServerChannelOptions | undefined
  readonly #environment: Environment
  readonly #log: (line: string) => void
  #user: string | undefined
  #channel: Channel | undefined
  #listening = new AbortController()
  /** Ceiling of the first wait before an attempt to reconnect, in milliseconds; counts from the next `init()` that connects. */
  reconnectTimeout: number
  /** After so many failed attempts in a row it closes for good. Default: never. */
  maxReconnectCount: number = Infinity
  /** Attempts to reconnect since it was last open. */
  reconnectCount: number = 0

  constructor(source: Channel | ServerChannelOptions) {
    const options = isChannel(source) ? undefined : source
    const environment = createEnvironment(options?.environment)
    super(environment, () => {
      if (!this.#channel) this.init()
    })
    this.#options = options
    this.#environment = environment
    this.#log = options?.log ?? ((line) => console.log(line))
    this.#user = options?.user
    this.reconnectTimeout = options?.reconnectDelayMs ?? 300
    if (isChannel(source)) this.#use(source)
  }

  get isOpened(): boolean {
    return this.#channel?.state === 'open'
  }

  /** One of `Terrasoft.SocketConnectionState`: `CONNECTING` while it reconnects, and never `CLOSING`, which takes no time here. */
  getConnectionState(): 0 | 1 | 3 | 4 {
    switch (this.#channel?.state) {
      case undefined:
        return SocketConnectionState.NOT_INITIALIZED
      case 'open':
        return SocketConnectionState.OPEN
      case 'closed':
        return SocketConnectionState.CLOSED
      default:
        return SocketConnectionState.CONNECTING
    }
  }

  /**
   * Makes sure that there is a connection: begins one, tries at once where one is waited for, begins anew after a close.
   * May be called again and again. With another user than before it goes on as that user, from the same position.
   *
   * @throws TypeError where a user is given for a channel that was made elsewhere.
   */
  init({ user }: { readonly user?: string } = {}): void {
    if (!this.#options) {
      if (user !== undefined) throw new TypeError('This channel was made by connect(); name the user in its url.')
      this.#channel?.reconnect()
      return
    }
    const isOther = user !== undefined && user !== this.#user
    if (isOther) this.#user = user
    if (!this.#channel || this.#channel.state === 'closed' || isOther) this.#connect(this.#options)
    else this.#channel.reconnect()
  }

  /** Closes the connection and resolves when its socket is gone. Handlers stay, for another `init()`. */
  async close(): Promise<void> {
    await this.#channel?.close()
  }

  /** Asks the server whether it is there: `pong` in the console, or what is wrong. */
  ping(): void {
    if (!this.#channel || !this.isOpened) {
      this.#log('No pong: there is no connection.')
      return
    }
    this.#channel.invoke('Ping').then(
      () => this.#log('pong'),
      (error: unknown) => this.#log(`No pong: ${String(error)}`),
    )
  }

  /**
   * Sends a message, for whom the server's policy says; while there is no connection it waits for one, for ten seconds at
   * most. What fails fires `error`; who awaits it gets the rejection besides.
   *
   * @example
   * const message = Terrasoft.ServerChannel.createMessageObject()
   * message.Header.Sender = Terrasoft.ServerChannelSender.PTP_MESSAGE
   * message.Body = { draft: 7 }
   * Terrasoft.ServerChannel.postMessage(message)
   */
  postMessage(message: MessageObject): Promise<void> {
    return this.#send('SendMessage', message)
  }

  /** As {@link ServerChannel.postMessage}, with the message as JSON text. */
  postRawMessage(text: string): Promise<void> {
    return this.#send('SendRawMessage', text)
  }

  /** Sends an object to everybody, where the server's policy allows that; pages get it by the event `BroadcastMsg`. */
  broadcastMessage(body: unknown): Promise<void> {
    return this.#send('SendMessage', this.getBroadcastMessage(body))
  }

  /**
   * The message that `broadcastMessage` sends.
   *
   * @deprecated as in the original: use `broadcastMessage`.
   */
  getBroadcastMessage(body: unknown): Required<MessageObject> {
    const message = this.createMessageObject()
    message.Header = { Sender: ServerChannelSender.BROADCAST_MESSAGE, BodyTypeName: 'System.String' }
    message.Body = JSON.stringify(body)
    return message
  }

  /** The message id that a message was posted with. */
  getSenderName(message: Message): string {
    return message.Header.Sender
  }

  /** An empty message with an id of its own. */
  createMessageObject(): Required<MessageObject> {
    return { Id: createId(this.#environment.random), Header: { Sender: '', BodyTypeName: '' }, Body: null }
  }

  #send(method: string, message: unknown): Promise<void> {
    const sending = this.#sendOnceOpen(method, message)
    // Most callers don't look at what it returns, and are still to hear of it.
    sending.catch((error: unknown) => {
      const reason = error instanceof Error ? error : new Error(String(error))
      if (!this.hasListener('error')) this.#log(`A message was not sent: ${reason.message}`)
      this.fireEvent('error', this, reason)
    })
    return sending
  }

  async #sendOnceOpen(method: string, message: unknown): Promise<void> {
    if (!this.#channel) this.init()
    const channel = this.#channel
    if (channel && channel.state !== 'open') await this.#untilOpen(channel)
    await channel?.invoke(method, [message])
  }

  async #untilOpen(channel: Channel): Promise<void> {
    const waiting = new AbortController()
    const timer = this.#environment.after(SEND_WAIT_MS_MAX, () =>
      waiting.abort(new ChannelError('connection_failed', `No connection for ${SEND_WAIT_MS_MAX} ms.`)),
    )
    try {
      await channel.ready({ signal: waiting.signal })
    } finally {
      timer.stop()
    }
  }

  #connect({ url = '/msg', ...options }: ServerChannelOptions): void {
    const left = this.#channel
    this.#listening.abort()
    const position = left?.position ?? options.position
    const connecting = { ...options, position, reconnectDelayMs: this.reconnectTimeout }
    // First, so that the position is kept for the one that goes on.
    void left?.close()
    this.#use(connect(withUser(url, this.#user), connecting))
  }

  #use(channel: Channel): void {
    this.#channel = channel
    this.reconnectCount = 0
    this.#listening = new AbortController()
    const { signal } = this.#listening
    channel.onMessage((message) => this.#route(message), { signal })
    channel.onStateChange(
      (state, { previous, recovered, reason, error }) => {
        if (state === 'open') {
          this.reconnectCount = 0
          this.#log(`SignalR hub connected${this.#place()}`)
          this.#fire('opened', { ...(recovered === undefined ? {} : { recovered }), ...(reason ? { reason } : {}) })
        } else if (previous === 'open' || state === 'closed') {
          this.#fire('closed', { ...(error ? { error } : {}), reconnects: state !== 'closed' })
        }
      },
      { signal },
    )
    channel.onGap(
      ({ reason }) => {
        // Before the connection is open, its `opened` says it.
        if (channel.state === 'open') this.#fire('opened', { recovered: false, reason })
      },
      { signal },
    )
    channel.onError((error) => this.#fail(channel, error), { signal })
  }

  #fail(channel: Channel, error: ChannelError): void {
    // An end that nobody listens for is not kept quiet.
    if (channel.state === 'closed' && !this.hasListener('error')) this.#environment.reportError(error)
    this.#fire('error', error)
    if (channel.state === 'open' || channel.state === 'closed') return
    this.reconnectCount++
    if (this.reconnectCount <= this.maxReconnectCount) return
    this.#log(`No connection after ${this.maxReconnectCount} attempts. Reload page.`)
    void this.close()
  }

  /** Source: PARITY 2.1, "Routing". */
  #route(message: Message): void {
    const { Sender } = message.Header
    switch (Sender) {
      case ServerChannelSender.BROADCAST_MESSAGE:
      case ServerChannelSender.PTP_MESSAGE:
        this.#fire(Sender, decodeBody(message.Body))
        return
      case ServerChannelSender.COMMAND_SERVICE:
        this.#log(`Server said: ${String(message.Body)}`)
        break
      default:
    }
    this.#fire(EventName.ON_MESSAGE, message)
  }

  #fire<Name extends keyof ServerChannelEvents>(event: Name, detail: ServerChannelEvents[Name][1]): void {
    this.fireEvent(event, this, detail)
  }

  /** Without the query, in which there may be a token. */
  #place(): string {
    return this.#options ? ` for url: ${resolveHubUrl(this.#options.url ?? '/msg').href.replace(/\?.*/, '')}` : ''
  }
}

function isChannel(source: Channel | ServerChannelOptions): source is Channel {
  return 'onMessage' in source
}

/** A UUID of version 4. `crypto.randomUUID` is not there on pages that came over plain http. */
function createId(random: () => number): string {
  return 'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'.replace(/[xy]/g, (digit) => {
    const value = Math.floor(random() * 16)
    return (digit === 'x' ? value : (value % 4) + 8).toString(16)
  })
}
