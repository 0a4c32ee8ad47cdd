import { Cluster, Redis, ReplyError } from 'ioredis'
import { EngineAway } from './append-queue.ts'
import type { RedisAddress } from './redis-address.ts'
import type { RedisScript } from './redis-scripts.ts'

/** A connection on which no answer came for so long is taken for lost. */
const ANSWER_MS_MAX = 3000
const CONNECT_MS_MAX = 3000
const RECONNECT_MS_MAX = 500

/** Errors of an engine that starts, is another's replica now, or moves keys: it is asked again, elsewhere if need be. */
const PASSING = /^(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED)\b/

/**
 * One connection to Redis, which comes back by itself. What is asked of it is answered in time or fails with
 * {@link EngineAway}, and nothing is asked again by itself: whoever asks knows best whether that does harm.
 */
export class RedisLink {
  readonly #client: Redis | Cluster
  readonly #onReady: () => void
  #error: Error | undefined
  #isClosed = false
  #again: NodeJS.Timeout | undefined

  /** @param onReady told each time that a connection is there */
  constructor(address: RedisAddress, name: string, onReady: () => void) {
    this.#client = createClient(address, `serverchannel-${name}`)
    this.#onReady = onReady
    this.#client.on('ready', () => {
      this.#error = undefined
      this.#onReady()
    })
    this.#client.on('error', (error: Error) => {
      this.#error = withoutCommand(error)
    })
    // The client gives up where it is let go in the middle of connecting, and where no sentinel answers.
    this.#client.on('end', () => {
      this.#error ??= new Error('The connection has ended.')
      if (!this.#isClosed) this.#again = setTimeout(() => this.#connect(), RECONNECT_MS_MAX)
    })
    this.#connect()
  }

  #connect(): void {
    this.#client.connect().catch((error: unknown) => {
      this.#error ??= withoutCommand(error as Error)
    })
  }

  get isReady(): boolean {
    return this.#client.status === 'ready'
  }

  /** Why there is no connection, where there is none. */
  get error(): Error | undefined {
    return this.#error
  }

  /** @throws EngineAway; or ReplyError: what Redis says against it */
  run(script: RedisScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.ask(async (client) => {
      try {
        return await client.evalsha(script.sha, script.keyCount, ...keys, ...args)
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return await client.eval(script.text, script.keyCount, ...keys, ...args)
      }
    })
  }

  /** @throws EngineAway; or ReplyError: what Redis says against it */
  async ask<Answer>(
    question: (client: Redis | Cluster) => Promise<Answer>,
    answerMsMax: number = ANSWER_MS_MAX,
  ): Promise<Answer> {
    if (!this.isReady) throw new EngineAway('There is no connection to Redis.', { cause: this.#error })
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const error = new Error(`Redis did not answer within ${answerMsMax} ms.`)
        this.#error = error
        this.reconnect()
        reject(error)
      }, answerMsMax)
      timer.unref()
    })
    const answer = question(this.#client)
    // Whichever comes second is of no interest.
    answer.catch(() => {})
    try {
      return await Promise.race([answer, deadline])
    } catch (thrown) {
      const error = withoutCommand(thrown as Error)
      if (isReply(error) && !PASSING.test(error.message)) throw error
      this.#error ??= error
      throw new EngineAway('Redis did not answer.', { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Hears what comes on the pub/sub channels that it is subscribed to. */
  onMessage(hear: (text: string) => void): void {
    this.#client.on('message', (_channel: string, text: string) => hear(text))
  }

  /** Lets the connection go, where there is one, and makes another one. */
  reconnect(): void {
    if (!this.#isClosed && this.isReady) this.#client.disconnect(true)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#again)
    this.#client.disconnect()
  }
}

/** The client hangs what it asked on its errors, which are logged: the password, or what was posted. */
function withoutCommand(error: Error): Error {
  Reflect.deleteProperty(error, 'command')
  if ('lastNodeError' in error && error.lastNodeError instanceof Error) withoutCommand(error.lastNodeError)
  return error
}

function isReply(error: unknown): error is Error {
  return error instanceof ReplyError
}

function createClient(address: RedisAddress, connectionName: string): Redis | Cluster {
  const { hosts, user, password, database } = address
  const retryStrategy = (tries: number): number => Math.min(20 * 2 ** Math.min(tries, 10), RECONNECT_MS_MAX)
  const common = {
    connectionName,
    protocol: 2 as const,
    db: database,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // It subscribes again without looking at what comes of it: where that fails, the process would end.
    autoResubscribe: false,
    // What is under way when a connection ends fails at once; null would keep it waiting for ever.
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_MS_MAX,
    retryStrategy,
    // A master that was demoted lets its clients be: the one that is master now has to be found.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    ...(address.isEncrypted ? { tls: {} } : {}),
  }
  if (address.kind === 'cluster') {
    const { retryStrategy: _retry, lazyConnect: _lazy, ...redisOptions } = common
    const options = {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryStrategy,
      redisOptions,
    }
    return new Cluster([...hosts], options)
  }
  if (address.kind === 'sentinel') {
    return new Redis({
      ...common,
      sentinels: [...hosts],
      name: address.masterName ?? '',
      sentinelRetryStrategy: retryStrategy,
      ...(address.sentinelPassword === undefined ? {} : { sentinelPassword: address.sentinelPassword }),
      ...(address.isEncrypted ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    })
  }
  const [first] = hosts
  return new Redis({ ...common, host: first?.host ?? '', port: first?.port ?? 0 })
}
