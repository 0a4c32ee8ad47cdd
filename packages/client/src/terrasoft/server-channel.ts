import type { LossReason, Message } from '@serverchannel/protocol'
import type { Channel } from '../channel.ts'
import type { ChannelError } from '../channel-error.ts'
import { connect } from '../connect.ts'
import { createEnvironment, type Environment } from '../environment.ts'
import { withUser } from '../hub-url.ts'
import type { ConnectOptions } from '../options.ts'
import { EventName, SocketConnectionState } from './constants.ts'
import type { EventHandler, ListenerOptions } from './listener.ts'
import { type Destroyable, type ListenerConfigs, Observable } from './observable.ts'

/** How a `ServerChannel` gets its connection. */
export interface ServerChannelOptions extends ConnectOptions {
  /** Of the hub, relative to the page. Default `/msg`. */
  readonly url?: string | undefined
  /** Who the page's user is, for a server in development mode. Default: whom the server makes out. */
  readonly user?: string | undefined
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
}

/**
 * `Terrasoft.ServerChannel`: the page's channel under Creatio's names. Connects when the first handler is added, or by
 * `init()`. Source: PARITY 2.1, 2.2.
 *
 * @example
 * Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, this.onServerMessageReceived, this)
 */
export class ServerChannel {
  readonly #options: ServerChannelOptions | undefined
  readonly #environment: Environment
  readonly #observable: Observable
  #user: string | undefined
  #channel: Channel | undefined
  #listening = new AbortController()

  constructor(source: Channel | ServerChannelOptions) {
    this.#options = isChannel(source) ? undefined : source
    this.#environment = createEnvironment(this.#options?.environment)
    this.#observable = new Observable(this, this.#environment)
    this.#user = this.#options?.user
    if (isChannel(source)) this.#use(source)
  }

  get isOpened(): boolean {
    return this.#channel?.state === 'open'
  }

  /** One of `Terrasoft.SocketConnectionState`. While it reconnects, that is `CONNECTING`. */
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

  /**
   * Adds a handler. It is called with its scope as `this`, default this object, and the event's arguments. The same
   * function with the same scope is added once. Returns something only with `destroyable`.
   *
   * @throws TypeError where there is no such function.
   */
  on<Name extends keyof ServerChannelEvents>(
    event: Name,
    fn: (...args: [...ServerChannelEvents[Name], options: ListenerOptions]) => unknown,
    scope?: object | null,
    options?: ListenerOptions,
  ): Destroyable | undefined
  on(
    event: string,
    fn: EventHandler | string,
    scope?: object | null,
    options?: ListenerOptions,
  ): Destroyable | undefined
  on(events: ListenerConfigs): Destroyable | undefined
  on(
    event: string | ListenerConfigs,
    fn?: EventHandler | string,
    scope?: object | null,
    options?: ListenerOptions,
  ): Destroyable | undefined {
    return this.#add(event, fn, scope, options)
  }

  /** Takes a handler off: the same function and the same scope as it was added with. */
  un(event: string, fn: EventHandler | string, scope?: object | null): void
  un(events: ListenerConfigs): void
  un(event: string | ListenerConfigs, fn?: EventHandler | string, scope?: object | null): void {
    this.#observable.remove(event, fn, scope)
  }

  /** Another name of {@link ServerChannel.on}. */
  readonly addListener: ServerChannel['on'] = (...args: Parameters<Observable['add']>) => this.#add(...args)

  /** Another name of {@link ServerChannel.un}. */
  readonly removeListener: ServerChannel['un'] = (...args: Parameters<Observable['remove']>) =>
    this.#observable.remove(...args)

  /** Calls an event's handlers with these arguments. Returns false where one of them did, which stops those after it. */
  fireEvent(event: string, ...args: readonly unknown[]): boolean {
    return this.#observable.fire(event, args)
  }

  hasListener(event: string): boolean {
    return this.#observable.has(event)
  }

  /** Takes off every handler and drops the calls that are still to come. */
  clearListeners(): void {
    this.#observable.clear()
  }

  /** Fires nothing until `resumeEvents()`. Events are dropped, or kept for then where `queue` is true, up to 10,000. */
  suspendEvents(queue?: boolean): void {
    this.#observable.suspend(queue)
  }

  resumeEvents(): void {
    this.#observable.resume()
  }

  /** The message id that a message was posted with. */
  getSenderName(message: Message): string {
    return message.Header.Sender
  }

  /** An empty message with an id of its own. */
  createMessageObject(): { Id: string; Header: { Sender: string; BodyTypeName: string }; Body: unknown } {
    return { Id: createId(this.#environment.random), Header: { Sender: '', BodyTypeName: '' }, Body: null }
  }

  #add(...args: Parameters<Observable['add']>): Destroyable | undefined {
    const added = this.#observable.add(...args)
    if (!this.#channel) this.init()
    return added
  }

  #connect(options: ServerChannelOptions): void {
    const left = this.#channel
    this.#listening.abort()
    const { url = '/msg', ...rest } = options
    const position = left?.position ?? options.position
    this.#use(connect(withUser(url, this.#user), { ...rest, position }))
    void left?.close()
  }

  #use(channel: Channel): void {
    this.#channel = channel
    this.#listening = new AbortController()
    const { signal } = this.#listening
    const fire = <Name extends keyof ServerChannelEvents>(event: Name, detail: ServerChannelEvents[Name][1]): void => {
      this.fireEvent(event, this, detail)
    }
    channel.onMessage((message) => fire(EventName.ON_MESSAGE, message), { signal })
    channel.onStateChange(
      (state, { previous, recovered, reason, error }) => {
        if (state === 'open') {
          fire('opened', { ...(recovered === undefined ? {} : { recovered }), ...(reason ? { reason } : {}) })
        } else if (previous === 'open' || state === 'closed') {
          fire('closed', { ...(error ? { error } : {}), reconnects: state !== 'closed' })
        }
      },
      { signal },
    )
    channel.onGap(
      ({ reason }) => {
        // Before the connection is open, its `opened` says it.
        if (channel.state === 'open') fire('opened', { recovered: false, reason })
      },
      { signal },
    )
    channel.onError(
      (error) => {
        // An end that nobody listens for is not kept quiet.
        if (channel.state === 'closed' && !this.hasListener('error')) this.#environment.reportError(error)
        fire('error', error)
      },
      { signal },
    )
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
