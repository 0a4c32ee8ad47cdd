/** What a test says of a stock client that it wants. */
export interface StockSettings {
  readonly url: string
  readonly transport: 'WebSockets' | 'ServerSentEvents' | 'LongPolling'
  readonly protocol: 'json' | 'messagepack'
  readonly token?: string
  /** Whether it comes back by itself. Default false. */
  readonly reconnects?: boolean
  /** Whether it opens a WebSocket at once. Default false. */
  readonly skipsNegotiation?: boolean
  /** Whether it asks for stateful reconnect. Default false. */
  readonly stateful?: boolean
  /** After how long without a word from the server it gives up. */
  readonly serverTimeoutMs?: number
  readonly keepAliveIntervalMs?: number
}

/** How a call ended. Plain values, so that a client in another process can tell. */
export type Outcome = { readonly value: unknown } | { readonly error: string }

export interface StreamOutcome {
  readonly items: readonly unknown[]
  /** Left out: it came to its end. */
  readonly error?: string
}

/** An answer of the client to the server's question: a value, an error with this text, or none at all. */
export type ClientAnswer = Outcome | 'never'

/**
 * A client of `@microsoft/signalr`, in this process or in a page. It takes and gives plain values only, and says how
 * something ended instead of throwing.
 */
export interface StockClient {
  start(): Promise<Outcome>
  stop(): Promise<void>
  connectionId(): Promise<string | null>
  state(): Promise<string>
  invoke(method: string, ...args: unknown[]): Promise<Outcome>
  /** Calls all of them at once. @returns the outcomes in the order in which they came, each with its call's number */
  invokeAll(calls: readonly (readonly [method: string, ...args: unknown[]])[]): Promise<(readonly [number, Outcome])[]>
  /** Without waiting for an answer. */
  send(method: string, ...args: unknown[]): Promise<void>
  stream(method: string, ...args: unknown[]): Promise<StreamOutcome>
  /** Asks for a stream, and takes no more of it once another call was answered. */
  cancelStream(method: string): Promise<void>
  /** Calls with a stream of these items, which then fails where an error is given. */
  upload(method: string, items: readonly unknown[], error?: string): Promise<Outcome>
  /** The arguments of the next calls of the server to this target, once there are so many. */
  calls(target: string, count: number): Promise<unknown[][]>
  /** Answers what the server asks of `Result`: by as many functions as there are answers. */
  answer(answers: readonly ClientAnswer[]): Promise<void>
  /** Resolves when it is connected no more and doesn't come back; with an error where the client was told one. */
  ended(): Promise<Outcome>
  /** Resolves with the new connection's id when it has come back by itself. */
  reconnected(): Promise<string | undefined>
}

interface StockSubject {
  next(item: unknown): void
  complete(): void
  error(error: Error): void
}

interface StockConnection {
  readonly connectionId?: string | null
  readonly state: unknown
  serverTimeoutInMilliseconds: number
  keepAliveIntervalInMilliseconds: number
  on(target: string, answer: (...args: unknown[]) => unknown): void
  off(target: string): void
  onclose(listener: (error?: Error) => void): void
  onreconnected(listener: (id?: string) => void): void
  start(): Promise<void>
  stop(): Promise<void>
  invoke(method: string, ...args: unknown[]): Promise<unknown>
  send(method: string, ...args: unknown[]): Promise<void>
  stream(
    method: string,
    ...args: unknown[]
  ): {
    subscribe(observer: { next(item: unknown): void; complete(): void; error(error: Error): void }): { dispose(): void }
  }
}

interface StockBuilder {
  withUrl(url: string, options: object): StockBuilder
  configureLogging(level: number): StockBuilder
  withHubProtocol(protocol: unknown): StockBuilder
  withAutomaticReconnect(delays: readonly number[]): StockBuilder
  withStatefulReconnect(): StockBuilder
  build(): StockConnection
}

/** What all versions of `@microsoft/signalr` have. */
export interface StockLibrary {
  readonly HubConnectionBuilder: new () => StockBuilder
  readonly Subject: new () => StockSubject
}

/**
 * Makes a client. Also sent to pages as text, and run there, with the functions below: so they use nothing but their
 * arguments, each other, and what every engine has.
 */
export function createStockClient(
  library: StockLibrary,
  createMessagePack: () => unknown,
  settings: StockSettings,
): StockClient {
  const connection = buildConnection(library, createMessagePack, settings)
  const ended = new Promise<Outcome>((resolve) => {
    connection.onclose((error) => resolve(error ? { error: error.message } : { value: undefined }))
  })
  let reconnected = new Promise<string | undefined>((resolve) => connection.onreconnected(resolve))
  return {
    start: () => outcomeOf(connection.start()),
    stop: () => connection.stop(),
    connectionId: async () => connection.connectionId ?? null,
    state: async () => String(connection.state),
    invoke: (method, ...args) => outcomeOf(connection.invoke(method, ...args)),
    async invokeAll(calls) {
      const outcomes: (readonly [number, Outcome])[] = []
      const run = async ([method, ...args]: (typeof calls)[number], index: number): Promise<void> => {
        outcomes.push([index, await outcomeOf(connection.invoke(method, ...args))])
      }
      await Promise.all(calls.map(run))
      return outcomes
    },
    send: (method, ...args) => connection.send(method, ...args),
    stream: (method, ...args) =>
      new Promise((resolve) => {
        const items: unknown[] = []
        connection.stream(method, ...args).subscribe({
          next: (item) => items.push(item),
          complete: () => resolve({ items }),
          error: (error) => resolve({ items, error: error.message }),
        })
      }),
    async cancelStream(method) {
      const subscription = connection.stream(method).subscribe({ next() {}, complete() {}, error() {} })
      await connection.invoke('VoidMethod')
      subscription.dispose()
    },
    upload(method, items, error) {
      const subject = new library.Subject()
      const outcome = outcomeOf(connection.invoke(method, subject))
      for (const item of items) subject.next(item)
      if (error === undefined) subject.complete()
      else subject.error(new Error(error))
      return outcome
    },
    calls: keepCalls(connection),
    answer: async (answers) => answerWith(connection, answers),
    ended: () => ended,
    async reconnected() {
      const id = await reconnected
      reconnected = new Promise((resolve) => connection.onreconnected(resolve))
      return id
    },
  }
}

/** All that {@link createStockClient} needs in a page. */
export const stockClientFunctions = [createStockClient, buildConnection, keepCalls, answerWith, outcomeOf]

function buildConnection(
  library: StockLibrary,
  createMessagePack: () => unknown,
  { url, transport, protocol, token, ...settings }: StockSettings,
): StockConnection {
  const builder = new library.HubConnectionBuilder()
    .withUrl(url, {
      transport: { WebSockets: 1, ServerSentEvents: 2, LongPolling: 4 }[transport],
      ...(token === undefined ? {} : { accessTokenFactory: () => token }),
      skipNegotiation: settings.skipsNegotiation ?? false,
    })
    // No logging at all.
    .configureLogging(6)
  if (protocol === 'messagepack') builder.withHubProtocol(createMessagePack())
  if (settings.reconnects) builder.withAutomaticReconnect([0, 20, 50, 100, 200, 400, 800])
  if (settings.stateful) builder.withStatefulReconnect()
  const connection = builder.build()
  if (settings.serverTimeoutMs) connection.serverTimeoutInMilliseconds = settings.serverTimeoutMs
  if (settings.keepAliveIntervalMs) connection.keepAliveIntervalInMilliseconds = settings.keepAliveIntervalMs
  return connection
}

/** Keeps the calls of the server until they are asked for. */
function keepCalls(connection: StockConnection): StockClient['calls'] {
  const targets = ['message', 'customobject', 'streamcanceled', 'called', 'servermessage', 'channelstate']
  const called = new Map(targets.map((target) => [target, [] as unknown[][]]))
  let waiters: (() => void)[] = []
  for (const [target, calls] of called) {
    connection.on(target, (...args) => {
      calls.push(args)
      const woken = waiters
      waiters = []
      for (const wake of woken) wake()
    })
  }
  return async (target, count) => {
    const calls = called.get(target.toLowerCase())
    if (!calls) throw new Error(`Nobody keeps the calls of ${target}`)
    while (calls.length < count) await new Promise<void>((resolve) => waiters.push(resolve))
    return calls.splice(0, count)
  }
}

function answerWith(connection: StockConnection, answers: readonly ClientAnswer[]): void {
  connection.off('Result')
  for (const answer of answers) {
    connection.on('Result', () => {
      if (answer === 'never') return new Promise(() => {})
      if ('error' in answer) throw new Error(answer.error)
      return answer.value
    })
  }
}

function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
  )
}
