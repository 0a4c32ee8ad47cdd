import { randomBytes } from 'node:crypto'
import type { Draft } from '../channel/entry.ts'
import {
  type Appended,
  type Durability,
  type LogFollower,
  type LogState,
  SIGNAL_BYTES_MAX,
  type Store,
  type StoreRead,
} from '../channel/store.ts'
import { parsePostgresAddress } from './postgres-address.ts'
import { PostgresAppender } from './postgres-appender.ts'
import { ask, storeFailed } from './postgres-client.ts'
import { PostgresFollower } from './postgres-follower.ts'
import { PostgresLink } from './postgres-link.ts'
import { PostgresRetention, type RetentionBounds } from './postgres-retention.ts'
import { entriesOf, type LogRow, READ } from './postgres-rows.ts'

export interface PostgresStoreOptions extends RetentionBounds {
  /** `postgres://user:password@host:5432/database?channel=main` */
  readonly address: string
  /** Bytes of entries that wait for the database; any more are refused. */
  readonly storeWaitingBytesMax: number
  readonly onWarning: (reason: string) => void
}

const TRIM_MS = 200

/**
 * Keeps the log in a table of PostgreSQL 12 or newer, where several nodes may have it open. Three connections: one follows,
 * one appends, one reads history, trims it and signals.
 */
export class PostgresStore implements Store {
  readonly #appender: PostgresAppender
  readonly #follower: PostgresFollower
  readonly #reader: PostgresLink
  readonly #retention: PostgresRetention
  readonly #onWarning: (reason: string) => void
  readonly #node = randomBytes(6).toString('hex')
  #timer: NodeJS.Timeout | undefined
  #trimming: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(options: PostgresStoreOptions) {
    const address = parsePostgresAddress(options.address)
    const { connectionString } = address
    this.#onWarning = options.onWarning
    this.#retention = new PostgresRetention(options)
    this.#follower = new PostgresFollower({ address, node: this.#node, onWarning: options.onWarning })
    this.#appender = new PostgresAppender({
      connectionString,
      waitingBytesMax: options.storeWaitingBytesMax,
      oldest: () => options.now() - options.historyAgeMaxMs,
      number: () => this.#follower.number,
      onUp: (client) => this.#follower.settle(client),
      onAppended: (...appended) => this.#follower.appended(...appended),
    })
    this.#reader = new PostgresLink({
      connectionString,
      purpose: 'reader',
      onUp: (client) => this.#follower.settle(client),
    })
  }

  get durability(): Durability {
    return this.#follower.durability
  }

  get trouble(): string | undefined {
    const failure = this.#appender.failure ?? this.#follower.failure ?? this.#reader.failure
    return failure && `PostgreSQL can't be reached: ${failure.message}`
  }

  async open(follower: LogFollower): Promise<LogState> {
    try {
      await Promise.all([this.#appender.start(), this.#reader.start()])
      // Last: what comes after its state is told at once.
      const state = await this.#follower.open(follower)
      this.#timer = setInterval(() => void this.#trim(), TRIM_MS)
      return state
    } catch (cause) {
      await this.close()
      if (cause instanceof TypeError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw storeFailed(`The log in PostgreSQL can't be opened: ${reason}`, cause)
    }
  }

  async append(drafts: readonly Draft[]): Promise<Appended> {
    if (drafts.length > 0) return this.#appender.append(drafts)
    return { epoch: this.#follower.state.epoch, offsets: [], durability: this.durability }
  }

  async read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    const { epoch, head, trimmedTo } = this.#follower.state
    if (after < trimmedTo) return { entries: [], isTrimmed: true }
    if (after >= head) return { entries: [], isTrimmed: false }
    const client = this.#reader.client
    if (!client) throw storeFailed(this.trouble ?? 'There is no connection to PostgreSQL.')
    const values = [this.#follower.number, after, head, countMax, Math.floor(bytesMax)]
    const rows = await ask<LogRow>(client, { name: 'serverchannel-read', text: READ, values })
    const [row] = rows
    const isTrimmed = row?.epoch !== epoch || Number(row.trimmed_to) > after
    return { entries: isTrimmed ? [] : entriesOf(rows, after, this.#onWarning), isTrimmed }
  }

  state(): LogState {
    return this.#follower.state
  }

  async signal(text: string): Promise<void> {
    if (Buffer.byteLength(text) > SIGNAL_BYTES_MAX)
      throw new RangeError(`A signal has at most ${SIGNAL_BYTES_MAX} bytes.`)
    const client = this.#reader.client
    if (!client) throw storeFailed(this.trouble ?? 'There is no connection to PostgreSQL.')
    const values = [`serverchannel_signal_${this.#follower.number}`, `${this.#node} ${text}`]
    await ask(client, { text: 'SELECT pg_notify($1, $2)', values })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#appender.close()
    await this.#trimming
    // Of what was appended the follower is told.
    await this.#follower.catchUp()
    await Promise.all([this.#follower.close(), this.#reader.close()])
  }

  async #trim(): Promise<void> {
    const client = this.#reader.client
    if (!client || this.#trimming) return
    this.#trimming = this.#retention.trim(client, this.#follower.number, this.#follower.takeGained()).then(
      (to) => to === undefined || this.#follower.trimmed(to),
      // What is wrong with the connection its link says, and the next call trims.
      () => {},
    ) as Promise<void>
    await this.#trimming
    this.#trimming = undefined
  }
}
