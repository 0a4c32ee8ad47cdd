/// <reference lib="esnext.disposable" preserve="true" />
import {
  type BodyOf,
  type ChannelState,
  type Message,
  type MessageHeader,
  parsePosition,
  type SenderOf,
} from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { ChannelEventTarget, StateChange } from './channel-events.ts'
import type { ConnectionState } from './connection.ts'
import { Cursor, type Gap } from './cursor.ts'
import type { Development } from './development.ts'
import type { Environment } from './environment.ts'
import type { KeptPosition } from './kept-position.ts'
import { callAll, type HandlerOptions, Listeners, type ListenOptions, type Off } from './listeners.ts'
import { MessageQueue } from './message-queue.ts'
import type { CallOptions, MessageSource, OpenSource, SourceCalls, SourceListener } from './source.ts'

/** What {@link Channel.messages} can be told. */
export interface MessagesOptions extends ListenOptions {
  /** Messages held for a loop that is slower than they come. Passing it ends the loop with an error. Default 10,000. */
  readonly max?: number | undefined
}

/** What {@link Channel.sendMessage} can be told. */
export interface SendOptions extends CallOptions {
  /**
   * How the message is meant to be addressed, for the server's policy to judge. Creatio's: `PTPMsg` to the user's own
   * pages, `BroadcastMsg` to everybody, `ServerMsg` to the server.
   */
  readonly channelType?: string | undefined
  /** The body's type by the page's own naming. */
  readonly bodyTypeName?: string | undefined
}

/** How far the page may be behind the server. */
export interface Lag {
  /** Messages that came and that loops over `messages()` have not taken yet. */
  readonly messages: number
  /**
   * How long nothing was heard of the server, in milliseconds: what was posted before that has been handed out. While the
   * channel is open, at most the interval of the server's pings and what the network takes. Infinity before the first
   * connection.
   */
  readonly ms: number
}

/** What a channel is made of. */
export interface ChannelParts {
  readonly openSource: OpenSource
  readonly environment: Environment
  readonly position: string | undefined
  readonly kept: KeptPosition | undefined
  readonly development: Development | undefined
}

const HELD_MESSAGES_MAX = 10_000
const Target: new () => ChannelEventTarget = EventTarget

/** A message whose body is by the contract. */
type MessageOf<Contract, Sender> = Message<BodyOf<Contract, Sender>>

/**
 * The page's end of a server's channel. Made by {@link connect}.
 *
 * Whatever the network does, each handler runs once for each message, in the channel's order. Handlers are called in
 * the order in which they were added, those for one sender first; what one throws is reported and the others still run.
 * A handler that is added or taken off while a message is handed out counts from the next message on. Listeners of the
 * EventTarget come last.
 */
export class Channel<Contract = unknown> extends Target implements AsyncDisposable {
  readonly #parts: ChannelParts
  readonly #cursor: Cursor
  readonly #source: MessageSource
  readonly #bySender = new Map<string, Listeners<[Message]>>()
  readonly #messages: Listeners<[Message]> = new Listeners()
  readonly #states: Listeners<[ConnectionState, StateChange]> = new Listeners()
  readonly #gaps: Listeners<[Gap]> = new Listeners()
  readonly #errors: Listeners<[ChannelError]> = new Listeners()
  readonly #queues = new Set<Pick<MessageQueue<Message>, 'length' | 'end'>>()
  /** What the server said last about what was missed; told with the next `open`. */
  #recovery: Pick<StateChange, 'recovered' | 'reason'> = {}
  /** Why it was closed, if not by `close()`. */
  #closedBy: ChannelError | undefined
  #owner: string | undefined

  /** @internal */
  constructor(parts: ChannelParts) {
    super()
    const { kept } = parts
    this.#parts = parts
    this.#owner = kept?.owner
    this.#cursor = new Cursor(parts.position ?? kept?.position, (gap) => {
      this.#emit(this.#gaps, gap)
      this.#dispatch('gap', gap)
    })
    const position = (): string | undefined => this.position
    const owner = (): string | undefined => this.#owner
    const listener: SourceListener = {
      get position() {
        return position()
      },
      get owner() {
        return owner()
      },
      onOwner: (owner) => {
        this.#owner = owner
      },
      onMessage: (message) => this.#receive(message),
      onChannelState: (state) => this.#settle(state),
      onStateChange: (state, previous, error) => this.#changeState(state, previous, error),
      onError: (error) => this.#fail(error),
    }
    this.#source = parts.openSource(listener)
  }

  get state(): ConnectionState {
    return this.#source.state
  }

  /**
   * The last position that was seen, `epoch:offset`; undefined before the server has told one. Kept and given to
   * {@link connect}, it makes another channel go on from there. In a message handler it covers that message.
   */
  get position(): string | undefined {
    return this.#cursor.position
  }

  /**
   * How far the page may be behind: to be shown, or logged, when somebody doubts what he sees.
   *
   * @example
   * status.textContent = channel.lag.ms < 30_000 ? 'live' : `as of ${Math.round(channel.lag.ms / 1000)} s ago`
   */
  get lag(): Lag {
    let messages = 0
    for (const queue of this.#queues) messages += queue.length
    return { messages, ms: this.#parts.environment.now() - (this.#source.heardAt ?? -Infinity) }
  }

  /**
   * Calls the handler with each message of this sender (the message id that the server posts with), compared exactly.
   * Where the channel has a contract, the body is what that says. Returns what takes the handler off again.
   *
   * @example
   * const off = channel.on('OrderChanged', (body: { id: number }) => refresh(body.id))
   */
  on<Sender extends SenderOf<Contract>>(
    sender: Sender,
    handler: (body: BodyOf<Contract, Sender>, message: MessageOf<Contract, Sender>) => void,
    options?: HandlerOptions,
  ): Off
  on<Body = unknown, Sender extends string = string>(
    sender: Sender & (Sender extends SenderOf<Contract> ? never : unknown),
    handler: (body: Body, message: Message<Body>) => void,
    options?: HandlerOptions,
  ): Off
  on(sender: string, handler: (body: never, message: never) => void, options?: HandlerOptions): Off {
    // What is posted under a sender is agreed between the two ends; the types say what the page expects.
    const call = (message: Message): void => handler(message.Body as never, message as never)
    return this.#listen(sender, call, options, handler)
  }

  /**
   * Resolves with the next message of this sender. Rejects with the signal's reason, or with a {@link ChannelError} where
   * the channel is closed before.
   *
   * @example
   * const { Body } = await channel.once('ImportEnded', { signal: AbortSignal.timeout(60_000) })
   */
  async once<Sender extends SenderOf<Contract>>(
    sender: Sender,
    options?: ListenOptions,
  ): Promise<MessageOf<Contract, Sender>>
  async once<Body = unknown>(sender: string, options?: ListenOptions): Promise<Message<Body>>
  async once(sender: string, { signal }: ListenOptions = {}): Promise<Message> {
    const messages = this.messages(sender, { signal, max: 1 })
    const { value } = await messages.next()
    void messages.return?.()
    if (value) return value
    throw signal?.aborted ? signal.reason : this.#closedError()
  }

  /**
   * Calls the handler with each message, whoever is its sender. Returns what takes it off again.
   *
   * @example
   * channel.onMessage((message) => console.log(message.Header.Sender, message.Body))
   */
  onMessage(handler: (message: Message) => void, options?: HandlerOptions): Off {
    return this.#listen(undefined, handler, options)
  }

  /**
   * The messages of one sender, or of all, for a `for await` loop. They are kept from this call on, up to `max`; when
   * the loop is further behind it gets what is kept and then a {@link ChannelError} `buffer_overflow`. Ends when the
   * signal is aborted or the channel closed; throws where the server closed it.
   *
   * @example
   * for await (const message of channel.messages('OrderChanged', { signal })) await refresh(message.Body)
   */
  messages<Sender extends SenderOf<Contract>>(
    sender: Sender,
    options?: MessagesOptions,
  ): AsyncIterableIterator<MessageOf<Contract, Sender>>
  messages<Body = unknown>(sender?: string, options?: MessagesOptions): AsyncIterableIterator<Message<Body>>
  messages(
    sender?: string,
    { signal, max = HELD_MESSAGES_MAX }: MessagesOptions = {},
  ): AsyncIterableIterator<Message<never>> {
    const queue = new MessageQueue<Message<never>>(max, () => {
      this.#queues.delete(queue)
      off()
      signal?.removeEventListener('abort', stop)
    })
    const stop = (): void => queue.stop()
    const off = this.#listen(sender, (message) => queue.push(message as Message<never>))
    this.#queues.add(queue)
    signal?.addEventListener('abort', stop)
    if (signal?.aborted) stop()
    if (this.state === 'closed') queue.end(this.#closedBy)
    return queue
  }

  /**
   * Calls the handler at each change of {@link Channel.state}. Returns what takes it off again.
   *
   * @example
   * channel.onStateChange((state) => banner.toggle(state === 'reconnecting'))
   */
  onStateChange(handler: (state: ConnectionState, change: StateChange) => void, options?: HandlerOptions): Off {
    return this.#states.add(handler, options)
  }

  /**
   * Calls the handler when messages were lost: load anew what the page shows. Never called for a channel that had no
   * position yet. Returns what takes it off again.
   *
   * @example
   * channel.onGap(() => reloadOrders())
   */
  onGap(handler: (gap: Gap) => void, options?: HandlerOptions): Off {
    return this.#gaps.add(handler, options)
  }

  /**
   * Calls the handler with everything that goes wrong: a lost connection, each failed attempt, a refusal. All but those
   * with which {@link Channel.state} is `closed` mend themselves. Returns what takes it off again.
   *
   * @example
   * channel.onError((error) => console.warn(error.code, error.message))
   */
  onError(handler: (error: ChannelError) => void, options?: HandlerOptions): Off {
    return this.#errors.add(handler, options)
  }

  /**
   * Sends a message: to the user's own pages, to others, or to the server, as the server's `clientMessagePolicy` says.
   * Waits for a connection; resolves when the server has taken it. Rejects with a {@link ChannelError}: `call_failed`
   * with the server's code in its text (`message_refused` where no policy lets it pass), or `connection_lost`, where
   * nobody knows whether it was taken.
   *
   * @example
   * await channel.sendMessage('Draft', { id: 7 }, { channelType: 'PTPMsg' })
   */
  async sendMessage(
    sender: string,
    body?: unknown,
    { channelType, bodyTypeName, signal }: SendOptions = {},
  ): Promise<void> {
    const Header: MessageHeader = {
      Sender: sender,
      ...(channelType ? { ChannelType: channelType } : {}),
      ...(bodyTypeName ? { BodyTypeName: bodyTypeName } : {}),
    }
    await this.invoke('SendMessage', [{ Header, Body: body }], { signal })
  }

  /**
   * Calls a method of the channel's hub and resolves with its answer. Waits for a connection. Rejects with a
   * {@link ChannelError}, `call_failed` or `connection_lost`, or with the signal's reason, which the server is told of.
   *
   * @example
   * await channel.invoke('Ping') // 'Pong!'
   */
  async invoke(method: string, args: readonly unknown[] = [], options: CallOptions = {}): Promise<unknown> {
    await this.ready(options)
    return this.#calls.invoke(method, args, options)
  }

  /**
   * Calls a streaming method of the channel's hub, when the first item is asked for; for a `for await` loop. To leave the
   * loop ends the stream on the server.
   *
   * @example
   * for await (const line of channel.stream('Tail', ['orders.log'], { signal })) show(line)
   */
  async *stream(
    method: string,
    args: readonly unknown[] = [],
    options: CallOptions = {},
  ): AsyncIterableIterator<unknown> {
    await this.ready(options)
    yield* this.#calls.stream(method, args, options)
  }

  /**
   * Resolves as soon as the channel is `open`: what is posted from then on comes. Rejects with a {@link ChannelError}
   * where it is closed instead, or with the signal's reason.
   *
   * @example
   * await channel.ready({ signal: AbortSignal.timeout(5_000) })
   */
  async ready({ signal }: ListenOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    if (this.state === 'open') return
    if (this.state === 'closed') throw this.#closedError()
    const settled = new AbortController()
    const untilSettled = { signal: settled.signal }
    try {
      await new Promise<void>((resolve, reject) => {
        this.onStateChange((state) => {
          if (state === 'open') resolve()
          else if (state === 'closed') reject(this.#closedError())
        }, untilSettled)
        signal?.addEventListener('abort', () => reject(signal.reason as Error), untilSettled)
      })
    } finally {
      settled.abort()
    }
  }

  /** Tries to connect now where the channel waits to do so. A connection that works is left as it is. */
  reconnect(): void {
    this.#source.wake()
  }

  /** Closes the channel for good and resolves when its connection is gone, after a second at most. Idempotent. */
  async close(): Promise<void> {
    await this.#source.close()
  }

  /** As {@link Channel.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** As {@link Channel.close}, for `using`: begins to close. */
  [Symbol.dispose](): void {
    void this.close()
  }

  get #calls(): SourceCalls {
    const { calls } = this.#source
    if (!calls)
      throw new TypeError('This entry of the package can only listen: connect() with that of @serverchannel/client.')
    return calls
  }

  #listen(
    sender: string | undefined,
    handler: (message: Message) => void,
    options?: HandlerOptions,
    given: unknown = handler,
  ): Off {
    const left = this.#parts.development?.onListen(sender, given, options)
    if (sender === undefined) return this.#messages.add(handler, options, left)
    const listeners = this.#bySender.get(sender) ?? new Listeners<[Message]>()
    const off = listeners.add(handler, options, () => {
      left?.()
      if (listeners.handlers.length === 0) this.#bySender.delete(sender)
    })
    if (listeners.handlers.length > 0) this.#bySender.set(sender, listeners)
    return off
  }

  #settle(state: ChannelState): void {
    const { recovered, reason } = state
    this.#recovery = { ...(recovered === undefined ? {} : { recovered }), ...(reason ? { reason } : {}) }
    this.#cursor.settle(state)
    this.#keep()
  }

  #receive(message: Message): void {
    const { environment, development } = this.#parts
    const position = typeof message.Position === 'string' ? parsePosition(message.Position) : undefined
    if (position && !this.#cursor.pass(position)) return
    development?.onMessage(message, (error) => this.#fail(error))
    const forAll = this.#messages.handlers
    const bySender = this.#bySender.get(message.Header.Sender)
    if (bySender) callAll(bySender.handlers, environment.reportError, message)
    callAll(forAll, environment.reportError, message)
    const event = new MessageEvent('message', { data: message.Body, lastEventId: message.Position ?? '' })
    this.dispatchEvent(Object.assign(event, { message }))
    this.#keep()
  }

  #keep(): void {
    const { position } = this
    // Before the server has said whose it is, nobody could tell for whom it may be resumed.
    if (position && this.#owner) this.#parts.kept?.save(position, this.#owner)
  }

  #changeState(state: ConnectionState, previous: ConnectionState, error: ChannelError | undefined): void {
    const recovery = this.#recovery
    this.#recovery = {}
    if (state === 'closed') {
      this.#closedBy = error
      for (const queue of this.#queues) queue.end(error)
      this.#parts.kept?.close()
    }
    const change = { state, previous, ...(state === 'open' ? recovery : {}), ...(error ? { error } : {}) }
    this.#emit(this.#states, state, change)
    this.#dispatch('statechange', change)
  }

  /** An end that nobody listens for is not kept quiet. */
  #fail(error: ChannelError): void {
    const { reportError } = this.#parts.environment
    if (error === this.#closedBy && this.#errors.handlers.length === 0) reportError(error)
    else this.#emit(this.#errors, error)
    this.#dispatch('error', { error })
  }

  #dispatch(type: string, detail: object): void {
    this.dispatchEvent(Object.assign(new Event(type), detail))
  }

  #emit<Args extends readonly unknown[]>(listeners: Listeners<Args>, ...args: Args): void {
    listeners.emit(this.#parts.environment.reportError, ...args)
  }

  #closedError(): ChannelError {
    return this.#closedBy ?? new ChannelError('channel_closed', 'The channel was closed.')
  }
}
