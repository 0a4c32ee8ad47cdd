/// <reference lib="esnext.disposable" preserve="true" />
import { type LossReason, type Message, parsePosition } from '@serverchannel/protocol'
import { Calls } from './calls.ts'
import { ChannelError } from './channel-error.ts'
import { Connection, type ConnectionState } from './connection.ts'
import { Cursor, type Gap } from './cursor.ts'
import { resolveHubUrl } from './hub-url.ts'
import { readInvocation } from './invocation.ts'
import { callAll, Listeners, type ListenOptions } from './listeners.ts'
import { MessageQueue } from './message-queue.ts'
import { type ConnectOptions, createSettings, type Settings } from './options.ts'

/** What {@link Channel.messages} can be told. */
export interface MessagesOptions extends ListenOptions {
  /** Messages held for a loop that is slower than they come. Passing it ends the loop with an error. Default 10,000. */
  readonly max?: number | undefined
}

/** What came with a change of {@link Channel.state}. */
export interface StateChange {
  readonly state: ConnectionState
  readonly previous: ConnectionState
  /** With `open`. True: all that was missed has come. False: it is lost. Undefined: there was nothing to come. */
  readonly recovered?: boolean
  /** Why it is lost. */
  readonly reason?: LossReason
  /** With `reconnecting` and `closed`: why. Undefined after `close()`. */
  readonly error?: ChannelError
}

const HELD_MESSAGES_MAX = 10_000

/**
 * The page's end of a server's channel. Made by {@link connect}.
 *
 * Whatever the network does, each handler runs once for each message, in the channel's order. Handlers are called in
 * the order in which they were added, those for one sender first; what one throws is reported and the others still run.
 * A handler that is added or taken off while a message is handed out counts from the next message on.
 */
export class Channel {
  readonly #settings: Settings
  readonly #cursor: Cursor
  readonly #connection: Connection
  readonly #bySender = new Map<string, Listeners<[Message]>>()
  readonly #messages: Listeners<[Message]> = new Listeners()
  readonly #states: Listeners<[ConnectionState, StateChange]> = new Listeners()
  readonly #gaps: Listeners<[Gap]> = new Listeners()
  readonly #errors: Listeners<[ChannelError]> = new Listeners()
  readonly #queues = new Set<MessageQueue>()
  readonly #calls: Calls = new Calls()
  /** What the server said last about what was missed; told with the next `open`. */
  #recovery: Pick<StateChange, 'recovered' | 'reason'> = {}
  /** Why it was closed, if not by `close()`. */
  #closedBy: ChannelError | undefined

  /** @throws TypeError where the url or an option is none. */
  constructor(url: string, options: ConnectOptions) {
    const settings = createSettings(options)
    this.#settings = settings
    this.#cursor = new Cursor(settings.position, (gap) => this.#emit(this.#gaps, gap))
    this.#connection = new Connection(resolveHubUrl(url), settings, {
      position: () => this.position ?? '',
      onInvocation: (target, args) => this.#receive(target, args),
      onCompletion: (record) => this.#calls.complete(record),
      onStateChange: (state, previous, error) => this.#changeState(state, previous, error),
      onError: (error) => {
        this.#calls.fail(error)
        this.#fail(error)
      },
    })
  }

  get state(): ConnectionState {
    return this.#connection.state
  }

  /**
   * The last position that was seen, `epoch:offset`; undefined before the server has told one. Kept and given to
   * {@link connect}, it makes another channel go on from there. In a message handler it covers that message.
   */
  get position(): string | undefined {
    return this.#cursor.position
  }

  /**
   * Calls the handler with each message of this sender (the message id that the server posts with), compared exactly.
   * Returns what takes the handler off again.
   *
   * @example
   * const off = channel.on('OrderChanged', (body: { id: number }) => refresh(body.id))
   */
  on<Body = unknown>(
    sender: string,
    handler: (body: Body, message: Message<Body>) => void,
    options?: ListenOptions,
  ): () => void {
    // What is posted under a sender is agreed between the two ends; the types say what the page expects.
    const call = (message: Message): void => handler(message.Body as Body, message as Message<Body>)
    return this.#listen(sender, call, options)
  }

  /**
   * Calls the handler with each message, whoever is its sender. Returns what takes it off again.
   *
   * @example
   * channel.onMessage((message) => console.log(message.Header.Sender, message.Body))
   */
  onMessage(handler: (message: Message) => void, options?: ListenOptions): () => void {
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
  messages(sender?: string, { signal, max = HELD_MESSAGES_MAX }: MessagesOptions = {}): AsyncIterableIterator<Message> {
    const queue = new MessageQueue(max, () => {
      this.#queues.delete(queue)
      off()
      signal?.removeEventListener('abort', stop)
    })
    const stop = (): void => queue.stop()
    const push = (message: Message): void => queue.push(message)
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
  onStateChange(handler: (state: ConnectionState, change: StateChange) => void, options?: ListenOptions): () => void {
    return this.#states.add(handler, options)
  }

  /**
   * Calls the handler when messages were lost: load anew what the page shows. Never called for a channel that had no
   * position yet. Returns what takes it off again.
   *
   * @example
   * channel.onGap(() => reloadOrders())
   */
  onGap(handler: (gap: Gap) => void, options?: ListenOptions): () => void {
    return this.#gaps.add(handler, options)
  }

  /**
   * Calls the handler with everything that goes wrong: a lost connection, each failed attempt, a refusal. All but those
   * with which {@link Channel.state} is `closed` mend themselves. Returns what takes it off again.
   *
   * @example
   * channel.onError((error) => console.warn(error.code, error.message))
   */
  onError(handler: (error: ChannelError) => void, options?: ListenOptions): () => void {
    return this.#errors.add(handler, options)
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

  /**
   * Calls a method of the server's hub and resolves with what it returns. Rejects with a {@link ChannelError}:
   * `connection_failed` where there is no connection now, `call_failed` with the server's text where it refuses, and what
   * ended the connection where it is gone before the answer: the server may have done what it was asked, or not.
   *
   * @example
   * console.log(await channel.invoke('Ping'))
   */
  invoke(method: string, args: readonly unknown[] = []): Promise<unknown> {
    return this.#calls.begin(method, args, (text) => this.#connection.send(text))
  }

  /** Tries to connect now where the channel waits to do so. A connection that works is left as it is. */
  reconnect(): void {
    this.#connection.wake()
  }

  /** Closes the channel for good and resolves when its socket is gone, after a second at most. Idempotent. */
  async close(): Promise<void> {
    await this.#connection.close()
  }

  /** As {@link Channel.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #listen(sender: string, handler: (message: Message) => void, options?: ListenOptions): () => void {
    const listeners = this.#bySender.get(sender) ?? new Listeners<[Message]>()
    const off = listeners.add(handler, options, () => {
      if (listeners.handlers.length === 0) this.#bySender.delete(sender)
    })
    if (listeners.handlers.length > 0) this.#bySender.set(sender, listeners)
    return off
  }

  #receive(target: unknown, args: unknown): void {
    const invocation = readInvocation(target, args)
    switch (invocation.name) {
      case 'message':
        this.#receiveMessage(invocation.message)
        return
      case 'state': {
        const { recovered, reason } = invocation.state
        this.#recovery = { ...(recovered === undefined ? {} : { recovered }), ...(reason ? { reason } : {}) }
        this.#cursor.settle(invocation.state)
        this.#connection.caughtUp()
        return
      }
      case 'broken':
        this.#fail(new ChannelError('protocol_broken', 'The server sent a message or a state that is none.'))
        return
      case 'unknown':
        return
      default:
        invocation satisfies never
    }
  }

  #receiveMessage(message: Message): void {
    const position = typeof message.Position === 'string' ? parsePosition(message.Position) : undefined
    if (position) {
      this.#connection.keepCatchingUp()
      if (!this.#cursor.pass(position)) return
    } else if (this.position === undefined) {
      // A server without positions states none; one that has them sends messages without only past the log.
      this.#connection.caughtUp()
    }
    const { reportError } = this.#settings.environment
    const forAll = this.#messages.handlers
    const bySender = this.#bySender.get(message.Header.Sender)
    if (bySender) callAll(bySender.handlers, reportError, message)
    callAll(forAll, reportError, message)
  }

  #changeState(state: ConnectionState, previous: ConnectionState, error: ChannelError | undefined): void {
    const recovery = this.#recovery
    this.#recovery = {}
    if (state === 'closed') {
      this.#closedBy = error
      for (const queue of this.#queues) queue.end(error)
    }
    if (state === 'closed') this.#calls.fail(this.#closedError())
    const change = { state, previous, ...(state === 'open' ? recovery : {}), ...(error ? { error } : {}) }
    this.#emit(this.#states, state, change)
  }

  /** An end that nobody listens for is not kept quiet. */
  #fail(error: ChannelError): void {
    if (error === this.#closedBy && this.#errors.handlers.length === 0) this.#settings.environment.reportError(error)
    else this.#emit(this.#errors, error)
  }

  #emit<Args extends readonly unknown[]>(listeners: Listeners<Args>, ...args: Args): void {
    listeners.emit(this.#settings.environment.reportError, ...args)
  }

  #closedError(): ChannelError {
    return this.#closedBy ?? new ChannelError('channel_closed', 'The channel was closed.')
  }
}
