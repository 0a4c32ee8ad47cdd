/// <reference lib="esnext.disposable" preserve="true" />
import { type BodyOf, type ChannelState, type Message, parsePosition, type SenderOf } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { StateChange } from './channel-events.ts'
import type { ConnectionState } from './connection-state.ts'
import { type Cursor, createCursor, type Gap } from './cursor.ts'
import type { Environment } from './environment.ts'
import { type HandlerOptions, Listeners, type ListenOptions, type Off } from './listeners.ts'
import { createMessageQueue, type MessageQueue } from './message-queue.ts'
import type { MessageSource, OpenSource } from './source.ts'
import { untilOpen } from './until-open.ts'

/** What {@link Channel.messages} can be told. */
export interface MessagesOptions extends ListenOptions {
  /** Messages held for a loop that is slower than they come. Passing it ends the loop with an error. Default 10,000. */
  readonly max?: number | undefined
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
}

const HELD_MESSAGES_MAX = 10_000

/** A message whose body is by the contract. */
type MessageOf<Contract, Sender> = Message<BodyOf<Contract, Sender>>

/**
 * The page's end of a server's channel, as far as it listens; what it can do besides are
 * `channel-calls.ts` and `channel-events.ts`. Made by {@link connect}.
 *
 * Whatever the network does, each handler runs once for each message, in the channel's order. Handlers are called in
 * the order in which they were added, those for one sender first; what one throws is reported and the others still run.
 * A handler that is added or taken off while a message is handed out counts from the next message on.
 */
export class Channel<Contract = unknown> implements AsyncDisposable {
  readonly #parts: ChannelParts
  readonly #cursor: Cursor
  readonly #source: MessageSource
  readonly #bySender = new Map<string, Listeners<[Message]>>()
  readonly #messages: Listeners<[Message]>
  readonly #states: Listeners<[ConnectionState, StateChange]>
  readonly #gaps: Listeners<[Gap]>
  readonly #errors: Listeners<[ChannelError]>
  readonly #queues = new Set<Pick<MessageQueue<Message>, 'held' | 'end'>>()
  /** What the server said last about what was missed; told with the next `open`. */
  #recovery: Pick<StateChange, 'recovered' | 'reason'> = {}
  /** Why it was closed, if not by `close()`. */
  #closedBy: ChannelError | undefined

  /** @internal */
  constructor(parts: ChannelParts) {
    const { reportError } = parts.environment
    this.#parts = parts
    this.#messages = new Listeners(reportError)
    this.#states = new Listeners(reportError)
    this.#gaps = new Listeners(reportError)
    this.#errors = new Listeners(reportError)
    this.#cursor = createCursor(parts.position, (gap) => this.#gaps.emit(gap))
    this.#source = parts.openSource({
      position: () => this.position,
      onMessage: (message) => this.#receive(message),
      onChannelState: (state) => this.#settle(state),
      onStateChange: (state, previous, error) => this.#changeState(state, previous, error),
      onError: (error) => this.#fail(error),
    })
  }

  /** @internal */
  get source(): MessageSource {
    return this.#source
  }

  get state(): ConnectionState {
    return this.#source.state
  }

  /**
   * The last position that was seen, `epoch:offset`; undefined before the server has told one. Kept and given to
   * {@link connect}, it makes another channel go on from there. In a message handler it covers that message.
   */
  get position(): string | undefined {
    return this.#cursor.position()
  }

  /**
   * How far the page may be behind: to be shown, or logged, when somebody doubts what he sees.
   *
   * @example
   * status.textContent = channel.lag.ms < 30_000 ? 'live' : `as of ${Math.round(channel.lag.ms / 1000)} s ago`
   */
  get lag(): Lag {
    let messages = 0
    for (const queue of this.#queues) messages += queue.held()
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
    return this.#listen(sender, call, options)
  }

  /**
   * Calls the handler with each message, whoever is its sender. Returns what takes it off again.
   *
   * @example
   * channel.onMessage((message) => console.log(message.Header.Sender, message.Body))
   */
  onMessage(handler: (message: Message) => void, options?: HandlerOptions): Off {
    return this.#messages.add(handler, options)
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
    const queue = createMessageQueue<Message<never>>(max, () => {
      this.#queues.delete(queue)
      off()
      signal?.removeEventListener('abort', stop)
    })
    const stop = (): void => queue.stop()
    const push = (message: Message): void => queue.push(message as Message<never>)
    const off = sender === undefined ? this.onMessage(push) : this.#listen(sender, push)
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
   * Resolves as soon as the channel is `open`: what is posted from then on comes. Rejects with a {@link ChannelError}
   * where it is closed instead, or with the signal's reason.
   *
   * @example
   * await channel.ready({ signal: AbortSignal.timeout(5_000) })
   */
  ready(options: ListenOptions = {}): Promise<void> {
    return untilOpen(this, () => this.#closedError(), options)
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

  #listen(sender: string, handler: (message: Message) => void, options?: HandlerOptions): Off {
    const listeners = this.#bySender.get(sender) ?? new Listeners<[Message]>(this.#parts.environment.reportError)
    const off = listeners.add(handler, options, () => {
      if (listeners.handlers.length === 0) this.#bySender.delete(sender)
    })
    if (listeners.handlers.length > 0) this.#bySender.set(sender, listeners)
    return off
  }

  #settle(state: ChannelState): void {
    const { recovered, reason } = state
    this.#recovery = { ...(recovered === undefined ? {} : { recovered }), ...(reason ? { reason } : {}) }
    this.#cursor.settle(state)
  }

  #receive(message: Message): void {
    const position = typeof message.Position === 'string' ? parsePosition(message.Position) : undefined
    if (position && !this.#cursor.pass(position)) return
    const forAll = this.#messages.handlers
    this.#bySender.get(message.Header.Sender)?.emit(message)
    this.#messages.call(forAll, message)
  }

  #changeState(state: ConnectionState, previous: ConnectionState, error: ChannelError | undefined): void {
    const recovery = this.#recovery
    this.#recovery = {}
    if (state === 'closed') {
      this.#closedBy = error
      for (const queue of this.#queues) queue.end(error)
    }
    const change = { state, previous, ...(state === 'open' ? recovery : {}), ...(error ? { error } : {}) }
    this.#states.emit(state, change)
  }

  /** An end that nobody listens for is not kept quiet. */
  #fail(error: ChannelError): void {
    const { reportError } = this.#parts.environment
    if (error === this.#closedBy && this.#errors.handlers.length === 0) reportError(error)
    else this.#errors.emit(error)
  }

  #closedError(): ChannelError {
    return this.#closedBy ?? new ChannelError('channel_closed', 'The channel was closed.')
  }
}
