/// <reference lib="esnext.disposable" preserve="true" />
import type {
  HubContract,
  InvocableName,
  MethodArguments,
  MethodName,
  MethodResult,
  StreamItem,
  StreamingName,
} from '@serverchannel/protocol'
import { type Calls, createCalls } from './calls.ts'
import { ChannelError } from './channel-error.ts'
import type { HubRecord } from './codec.ts'
import { type Connection, openConnection } from './connection.ts'
import type { ConnectionState } from './connection-state.ts'
import type { Environment } from './environment.ts'
import { resolveHubUrl } from './hub-url.ts'
import { type HandlerOptions, Listeners, type ListenOptions, type Off } from './listeners.ts'
import { COMPLETION, INVOCATION } from './message-types.ts'
import { type ConnectionOptions, createSettings } from './options.ts'
import type { CallOptions } from './source.ts'
import type { TransportChoice } from './transports/transport.ts'
import { untilOpen } from './until-open.ts'

/** How a hub's connection is made. */
export interface HubParts {
  readonly url: string
  readonly options: ConnectionOptions
  readonly chooseTransport: (hub: URL, settings: ReturnType<typeof createSettings>) => TransportChoice
}

type ClientHandler = (...args: never[]) => unknown

/**
 * A connection to a hub of one's own, typed by the contract that the server has. Made by {@link connectHub}. It connects
 * again whenever it is lost; calls that were under way then fail with `connection_lost`, since nobody knows what became of
 * them.
 */
export class Hub<Contract extends HubContract = HubContract> implements AsyncDisposable {
  readonly #environment: Environment
  readonly #connection: Connection
  readonly #calls: Calls
  /** By lower-cased name. */
  readonly #handlers = new Map<string, readonly ClientHandler[]>()
  readonly #states: Listeners<[ConnectionState, ChannelError | undefined]>
  readonly #errors: Listeners<[ChannelError]>
  #closedBy: ChannelError | undefined

  /** @internal */
  constructor({ url, options, chooseTransport }: HubParts) {
    const settings = createSettings(options)
    const hub = resolveHubUrl(url)
    const choice = chooseTransport(hub, settings)
    this.#environment = settings.environment
    this.#states = new Listeners(settings.environment.reportError)
    this.#errors = new Listeners(settings.environment.reportError)
    this.#calls = createCalls((message) => this.#connection.send(message))
    this.#connection = openConnection(hub, settings, choice, {
      prepare() {},
      onHandshake: () => this.#connection.caughtUp(),
      onRecord: (record) => {
        if (record.type === INVOCATION) void this.#answer(record)
        else this.#calls.receive(record)
      },
      onStateChange: (state, previous, error) => {
        if (previous === 'open') this.#calls.lose(error)
        if (state === 'closed') this.#closedBy = error
        this.#states.emit(state, error)
      },
      onError: (error) => {
        // An end that nobody listens for is not kept quiet.
        if (error === this.#closedBy && this.#errors.handlers.length === 0) this.#environment.reportError(error)
        else this.#errors.emit(error)
      },
    })
  }

  get state(): ConnectionState {
    return this.#connection.state
  }

  /**
   * Handles a method that the server calls in its clients. Where the server waits for a result, the handler that was added
   * first gives it, at once or as a promise. Names match in any case. Returns what takes the handler off again.
   *
   * @example
   * hub.on('Said', (user, text) => show(user, text))
   * hub.on('AskName', () => prompt('Who are you?'))
   */
  on<Name extends MethodName<Contract['client']>>(
    method: Name,
    handler: (
      ...args: MethodArguments<Contract['client'][Name]>
    ) => MethodResult<Contract['client'][Name]> | Promise<MethodResult<Contract['client'][Name]>>,
    { signal, once }: HandlerOptions = {},
  ): Off {
    const key = method.toLowerCase()
    const call = (...args: MethodArguments<Contract['client'][Name]>): unknown => {
      if (once) off()
      return handler(...args)
    }
    const off = (): void => {
      this.#handlers.set(
        key,
        (this.#handlers.get(key) ?? []).filter((other) => other !== call),
      )
      signal?.removeEventListener('abort', off)
    }
    if (!signal?.aborted) this.#handlers.set(key, [...(this.#handlers.get(key) ?? []), call])
    signal?.addEventListener('abort', off)
    return Object.assign(off, { [Symbol.dispose]: off })
  }

  /**
   * Calls a method and resolves with its answer. Waits for a connection. An argument that is an async iterable is sent as
   * a stream. Rejects with a {@link ChannelError}, `call_failed` or `connection_lost`, or with the signal's reason, which
   * the server is told of.
   *
   * @example
   * const sum = await hub.invoke('Add', [1, 2], { signal: AbortSignal.timeout(5_000) })
   */
  async invoke<Name extends InvocableName<Contract['server']>>(
    method: Name,
    args: MethodArguments<Contract['server'][Name]>,
    options: CallOptions = {},
  ): Promise<MethodResult<Contract['server'][Name]>> {
    await this.ready(options)
    // What the server answers is by the contract, which both ends have.
    return (await this.#calls.invoke(method, args, options)) as MethodResult<Contract['server'][Name]>
  }

  /**
   * Calls a streaming method, when the first item is asked for; for a `for await` loop. To leave the loop ends the stream
   * on the server.
   *
   * @example
   * for await (const line of hub.stream('History', [100], { signal })) show(line)
   */
  async *stream<Name extends StreamingName<Contract['server']>>(
    method: Name,
    args: MethodArguments<Contract['server'][Name]>,
    options: CallOptions = {},
  ): AsyncIterableIterator<StreamItem<Contract['server'][Name]>> {
    await this.ready(options)
    yield* this.#calls.stream(method, args, options) as AsyncIterableIterator<StreamItem<Contract['server'][Name]>>
  }

  /** Calls the handler at each change of {@link Hub.state}, with the reason. Returns what takes it off again. */
  onStateChange(
    handler: (state: ConnectionState, error: ChannelError | undefined) => void,
    options?: HandlerOptions,
  ): Off {
    return this.#states.add(handler, options)
  }

  /** Calls the handler with everything that goes wrong, as that of a channel. Returns what takes it off again. */
  onError(handler: (error: ChannelError) => void, options?: HandlerOptions): Off {
    return this.#errors.add(handler, options)
  }

  /** Resolves as soon as it is `open`. Rejects where it is closed instead, or with the signal's reason. */
  ready(options: ListenOptions = {}): Promise<void> {
    return untilOpen(this, () => this.#closedBy ?? new ChannelError('channel_closed', 'The hub was closed.'), options)
  }

  /** Tries to connect now where it waits to do so. */
  reconnect(): void {
    this.#connection.wake()
  }

  /** Closes it for good and resolves when its connection is gone, after a second at most. Idempotent. */
  close(): Promise<void> {
    return this.#connection.close()
  }

  /** As {@link Hub.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Runs the handlers of a call of the server, and answers it where it waits. */
  async #answer({ target, arguments: args, invocationId }: HubRecord): Promise<void> {
    const handlers = this.#handlers.get(String(target).toLowerCase()) ?? []
    let outcome: Promise<unknown> | undefined
    for (const handler of handlers) {
      const result = new Promise((resolve) => resolve(handler(...((Array.isArray(args) ? args : []) as never[]))))
      if (invocationId && !outcome) outcome = result
      else result.catch(this.#environment.reportError)
    }
    if (typeof invocationId !== 'string' || !invocationId) return
    let answer: { readonly result: unknown } | { readonly error: string }
    try {
      answer = outcome ? { result: (await outcome) ?? null } : { error: "Client didn't provide a result." }
    } catch (error) {
      answer = { error: String(error) }
    }
    // The connection may be gone by then, and who waited with it.
    if (this.state === 'open') this.#connection.send({ type: COMPLETION, invocationId, ...answer })
  }
}
