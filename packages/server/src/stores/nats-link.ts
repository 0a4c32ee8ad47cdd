import {
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type StreamInfo,
} from '@nats-io/jetstream'
import { connect, headers, type NatsConnection } from '@nats-io/transport-node'
import { EngineAway } from './append-queue.ts'
import type { NatsAddress } from './nats-address.ts'
import type { HeaderField } from './nats-message.ts'

const ANSWER_MS_MAX = 3000
const PING_MS = 2000
const PINGS_MAX = 2
const RECONNECT_MS = 100
/** Of messages of up to the server's `max_payload`, read ahead. */
const READ_AHEAD = 50
/** The server says that it is still there at least twice in this time. */
const EXPIRES_MS = 5000

/** Messages that are there and do not come for so long do not come. */
const SILENCE_MS_MAX = 5000
/** In a cluster, where they may come from another server. */
const SILENCE_IN_CLUSTER_MS_MAX = 1500

/** Servers of a cluster, of which some may lack what others have: another one may answer the next time. */
const TRIES_IN_CLUSTER = 6
const TRY_AGAIN_MS = 50

const WRONG_LAST_SEQUENCE = 10_071
const STREAM_NOT_FOUND = 10_059
const NO_MESSAGE = 10_037

/** What a stream is now. */
export interface StreamFound {
  /** Another one than before, where it was deleted and made again. */
  readonly created: string
  readonly firstSeq: number
  readonly lastSeq: number
  readonly count: number
  readonly storage: string
  readonly replicas: number
}

export interface StreamMessage {
  readonly seq: number
  readonly payload: Uint8Array
  get(name: string): string
}

/** One connection to NATS, which comes back by itself. What can't be asked now fails with {@link EngineAway}. */
export class NatsLink {
  readonly #address: NatsAddress
  readonly #connection: NatsConnection
  readonly #client: JetStreamClient
  readonly #admin: JetStreamManager
  /** What the server said of itself; the connection forgets it while it is lost. */
  #info: NatsConnection['info']
  readonly #onLost = new Set<() => void>()
  #isReady = true
  #error: Error | undefined

  private constructor(address: NatsAddress, connection: NatsConnection, admin: JetStreamManager) {
    this.#address = address
    this.#connection = connection
    this.#info = connection.info
    this.#client = jetstream(connection, { timeout: ANSWER_MS_MAX })
    this.#admin = admin
  }

  /** @param onReady told each time that a connection is there again. @throws Error where there is no server */
  static async connect(address: NatsAddress, onReady: () => void): Promise<NatsLink> {
    const { hosts, user, password, token, isEncrypted } = address
    const connection = await connect({
      servers: hosts.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)),
      name: 'serverchannel',
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      reconnectJitter: RECONNECT_MS,
      pingInterval: PING_MS,
      maxPingOut: PINGS_MAX,
      timeout: ANSWER_MS_MAX,
      ignoreAuthErrorAbort: true,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { pass: password }),
      ...(token === undefined ? {} : { token }),
      ...(isEncrypted ? { tls: {} } : {}),
    })
    const admin = await jetstreamManager(connection, { checkAPI: false, timeout: ANSWER_MS_MAX })
    const link = new NatsLink(address, connection, admin)
    void link.#watch(onReady)
    return link
  }

  get isReady(): boolean {
    return this.#isReady
  }

  get error(): Error | undefined {
    return this.#error
  }

  /** Bytes of headers and payload that one message may have. */
  get messageBytesMax(): number {
    return this.#info?.max_payload ?? 0
  }

  /** Of a server alone: another one after each start. Of servers that are a cluster, which may go one by one: nothing. */
  get life(): string {
    return this.isCluster ? '' : ((this.#connection.info ?? this.#info)?.server_id ?? '')
  }

  /** What the stream is; it is made where there is none. */
  async find(): Promise<StreamFound> {
    const { stream, logSubject, replicas, storage } = this.#address
    const info = await this.#ask(async (): Promise<StreamInfo> => {
      try {
        return await this.#admin.streams.info(stream)
      } catch (error) {
        if (codeOf(error) !== STREAM_NOT_FOUND) throw error
        return await this.#admin.streams.add({
          name: stream,
          subjects: [logSubject],
          num_replicas: replicas,
          storage,
          allow_direct: true,
        })
      }
    })
    const { state, config, created } = info
    return {
      created,
      firstSeq: state.first_seq,
      lastSeq: state.last_seq,
      count: state.messages,
      storage: config.storage,
      replicas: config.num_replicas,
    }
  }

  /** @returns where it is in the stream; undefined where the stream's last message is another one than `lastSeq` */
  async append(fields: readonly HeaderField[], payload: Uint8Array, lastSeq: number): Promise<number | undefined> {
    const all = headers()
    for (const [name, value] of fields) all.set(name, value)
    const { logSubject, stream } = this.#address
    const expect = { streamName: stream, lastSequence: lastSeq }
    return await this.#ask(async () => {
      try {
        return (await this.#client.publish(logSubject, payload, { headers: all, expect, timeout: ANSWER_MS_MAX })).seq
      } catch (error) {
        if (codeOf(error) === WRONG_LAST_SEQUENCE) return undefined
        throw error
      }
    })
  }

  get isCluster(): boolean {
    return (this.#connection.info ?? this.#info)?.cluster !== undefined
  }

  /** Undefined where nobody has it any more: of a cluster several are asked. */
  async read(seq: number): Promise<StreamMessage | undefined> {
    for (let tries = 1; ; tries++) {
      const message = await this.#readOnce(seq)
      if (message || !this.isCluster || tries === TRIES_IN_CLUSTER) return message
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS))
    }
  }

  async #readOnce(seq: number): Promise<StreamMessage | undefined> {
    return await this.#ask(async () => {
      try {
        const { stream } = this.#address
        // Of replicas any one answers, also one that is behind: what it has not, the leader may have.
        const message =
          (await this.#admin.direct.getMessage(stream, { seq })) ??
          (await this.#admin.streams.getMessage(stream, { seq }))
        return message ? { seq, payload: message.data, get: (name) => message.header.get(name) } : undefined
      } catch (error) {
        if (codeOf(error) === NO_MESSAGE) return undefined
        throw error
      }
    })
  }

  /** Messages from one on, as they come. Ends only when it is closed, or throws {@link EngineAway}. */
  async follow(fromSeq: number, isHeadersOnly: boolean): Promise<ConsumerMessages> {
    return await this.#ask(async () => {
      const consumer = await this.#client.consumers.get(this.#address.stream, {
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: fromSeq,
        headers_only: isHeadersOnly,
      })
      return await consumer.consume({ max_messages: READ_AHEAD, expires: EXPIRES_MS })
    })
  }

  /**
   * Tells the headers of the messages from one to another, in order. Those that are gone are left out, and in a cluster
   * also what the server that tells them lacks.
   *
   * @param onHead the next one comes when what this answers with has come true
   * @throws EngineAway where they don't come
   */
  async readHeads(
    fromSeq: number,
    toSeq: number,
    onHead: (message: StreamMessage) => Promise<void> | undefined,
  ): Promise<void> {
    if (toSeq < fromSeq) return
    const messages = await this.follow(fromSeq, true)
    const silenceMsMax = this.isCluster ? SILENCE_IN_CLUSTER_MS_MAX : SILENCE_MS_MAX
    let timer: NodeJS.Timeout | undefined
    const watch = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => void messages.close(), silenceMsMax)
    }
    watch()
    try {
      for await (const message of messages) {
        if (message.seq <= toSeq) {
          const { seq, data: payload, headers: fields } = message
          const taken = onHead({ seq, payload, get: (name) => fields?.get(name) ?? '' })
          if (taken) await taken
        }
        watch()
        if (message.seq >= toSeq || message.info.pending === 0) return
      }
    } finally {
      clearTimeout(timer)
      void messages.close()
    }
    // A server of a cluster may lack what others have.
    if (!this.isCluster) throw new EngineAway('NATS does not tell what is in the stream.')
  }

  /** Drops the messages before this one. */
  async dropBefore(seq: number): Promise<void> {
    await this.#ask(() => this.#admin.streams.purge(this.#address.stream, { seq }))
  }

  /** Returns once the server has it. */
  async signal(text: string): Promise<void> {
    await this.#ask(async () => {
      this.#connection.publish(this.#address.signalSubject, text)
      await this.#connection.flush()
    })
  }

  async listen(onSignal: (text: string) => void): Promise<void> {
    this.#connection.subscribe(this.#address.signalSubject, {
      callback: (error, message) => {
        if (!error) onSignal(message.string())
      },
    })
    await this.#ask(() => this.#connection.flush())
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  /** Answers that were under way when the connection was lost don't come any more. */
  async #ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    if (!this.#isReady) throw new EngineAway('There is no connection to NATS.', { cause: this.#error })
    let onLost: (() => void) | undefined
    const lost = new Promise<never>((_resolve, reject) => {
      onLost = () => reject(new Error('The connection is lost.'))
      this.#onLost.add(onLost)
    })
    const answer = question()
    // Whichever comes second is of no interest.
    answer.catch(() => {})
    try {
      return await Promise.race([answer, lost])
    } catch (error) {
      if (error instanceof JetStreamApiError && !isPassing(error)) throw error
      if (this.#isReady) this.#error = error as Error
      throw new EngineAway('NATS did not answer.', { cause: error })
    } finally {
      if (onLost) this.#onLost.delete(onLost)
    }
  }

  async #watch(onReady: () => void): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'reconnect') {
        this.#isReady = true
        this.#info = this.#connection.info
        this.#error = undefined
        onReady()
      } else if (status.type === 'disconnect' || status.type === 'close') {
        this.#isReady = false
        this.#error ??= new Error('The connection is lost.')
        for (const onLost of this.#onLost) onLost()
      } else if (status.type === 'error') this.#error = status.error
    }
  }
}

/** JetStream says 503 where it starts, or has no leader yet. */
function isPassing(error: JetStreamApiError): boolean {
  return error.status === 503 || error.code === STREAM_NOT_FOUND
}

function codeOf(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined
}
