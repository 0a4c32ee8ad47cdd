import type { Connection } from 'mysql2/promise'
import type { Draft } from '../channel/entry.ts'
import { Looks } from './looks.ts'
import { ask, change, openMysql } from './mysql-client.ts'
import { installMysql } from './mysql-schema.ts'
import type { OutboxBatch, OutboxSource } from './outbox.ts'
import {
  allRefused,
  lastWithin,
  type OutboxRow,
  type ReadPost,
  type ReadRows,
  ROW_COLUMNS,
  readRows,
  refusalText,
} from './outbox-row.ts'

/** Below 1000, where MariaDB would make a table of a list of numbers. */
const TAKE_COUNT = 500
/** After a transaction of this process posted, after anything else that came, and at most: nobody tells of a commit. */
const LOOK_MS_OWN = 5
const LOOK_MS_MIN = 50
const LOOK_MS_MAX = 1000
/**
 * What was forgotten stays in the index for a while, and would be gone through at each look. So most looks begin behind it.
 * What comes with a lower number all the same, as from another member of a cluster, a look from the start finds.
 */
const FROM_START_MS = 5000

const LOCK = "SELECT GET_LOCK(CONCAT('serverchannel.relay.', MD5(DATABASE())), 0) AS is_mine"
const SIZES = 'SELECT number, LENGTH(body) AS bytes FROM serverchannel_outbox WHERE number > ? ORDER BY number LIMIT ?'
const ROWS = `SELECT number, ${ROW_COLUMNS} FROM serverchannel_outbox WHERE number BETWEEN ? AND ? ORDER BY number`
/** A commit is visible before it is on the disk. When this one is, all that was read before is. */
const SETTLE = 'UPDATE serverchannel_relay SET takes = takes + 1 WHERE one = 1'
const PUT_ASIDE = `REPLACE INTO serverchannel_refused (number, reason, ${ROW_COLUMNS})
  SELECT number, ?, ${ROW_COLUMNS} FROM serverchannel_outbox WHERE number = ?`
/** By the index, whatever the optimizer thinks of it: a look at other rows would wait for those who post now. */
const FORGET = 'DELETE taken FROM serverchannel_outbox AS taken FORCE INDEX (PRIMARY) WHERE taken.number IN (?)'

/** What transactions posted in a database of MySQL or MariaDB. */
export class MysqlOutboxSource implements OutboxSource {
  readonly #address: string
  readonly #readPost: ReadPost
  readonly #onWarning: (reason: string) => void
  #looks: Looks | undefined
  #connection: Connection | undefined
  /** Ends with the connection, as the lock does. */
  #locked: Connection | undefined
  #isAway = false
  /** What was acknowledged up to here. */
  #after = 0
  #fromStartAt = 0

  constructor(address: string, readPost: ReadPost, onWarning: (reason: string) => void) {
    this.#address = address
    this.#readPost = readPost
    this.#onWarning = onWarning
  }

  async open(onMore: () => void): Promise<void> {
    await this.#connect()
    this.#looks = new Looks(LOOK_MS_MAX, onMore)
    this.#looks.soon(LOOK_MS_MIN)
  }

  /** A transaction of this process has posted, and will be committed soon. */
  soon(): void {
    this.#looks?.soon(LOOK_MS_OWN)
  }

  async take(): Promise<OutboxBatch | undefined> {
    const connection = await this.#connected()
    if (!connection) return undefined
    try {
      return await this.#takeFrom(connection)
    } catch (error) {
      this.#drop(connection)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#looks?.close()
    const connection = this.#connection
    this.#connection = undefined
    // Ends at once for all that is asked of it; what was not acknowledged is taken again.
    connection?.destroy()
  }

  async #takeFrom(connection: Connection): Promise<OutboxBatch | undefined> {
    const now = performance.now()
    if (now >= this.#fromStartAt) {
      this.#after = 0
      this.#fromStartAt = now + FROM_START_MS
    }
    const sizes = await ask<{ number: number; bytes: number }>(connection, SIZES, [this.#after, TAKE_COUNT])
    const [first] = sizes
    if (!first || !(await this.#lock(connection))) return undefined
    const written = await ask<WrittenRow>(connection, ROWS, [first.number, lastWithin(sizes)])
    const rows = written.map(toRow)
    // Somebody else had the lock, and took them meanwhile.
    if (rows.length === 0) return undefined
    await change(connection, SETTLE)
    this.#looks?.soon(LOOK_MS_MIN)
    const read = readRows(rows, this.#readPost)
    return {
      drafts: read.drafts,
      acknowledge: (refused) => this.#acknowledge(rows, read, refused),
    }
  }

  /** @returns whether this is the relay that takes */
  async #lock(connection: Connection): Promise<boolean> {
    if (this.#locked === connection) return true
    const [row] = await ask<{ is_mine: number | null }>(connection, LOCK)
    if (row?.is_mine !== 1) return false
    this.#locked = connection
    // Whoever had it before may have come less far than was seen here.
    this.#fromStartAt = 0
    return true
  }

  /** On whichever connection: what is in the log may be forgotten by anybody. */
  async #acknowledge(
    rows: readonly OutboxRow[],
    read: ReadRows,
    refusedByLog: ReadonlyMap<Draft, string>,
  ): Promise<void> {
    const connection = await this.#connected()
    if (!connection) throw new Error('The outbox in MySQL can not be reached.')
    const refused = [...allRefused(read, refusedByLog)].sort(([a], [b]) => a - b)
    try {
      await change(connection, 'START TRANSACTION')
      for (const [number, reason] of refused) await change(connection, PUT_ASIDE, [reason, number])
      await change(connection, FORGET, [rows.map(({ number }) => number)])
      await change(connection, 'COMMIT')
    } catch (error) {
      this.#drop(connection)
      throw error
    }
    this.#after = rows.at(-1)?.number ?? this.#after
    for (const [number, reason] of refused) this.#onWarning(refusalText(number, 'serverchannel_refused', reason))
  }

  /** A connection, or undefined where none can be had now. */
  async #connected(): Promise<Connection | undefined> {
    if (this.#connection) return this.#connection
    try {
      return await this.#connect()
    } catch (error) {
      // Once for each time that it is away: the next look finds out whether it still is.
      if (!this.#isAway) this.#onWarning(`The outbox in MySQL can't be reached: ${describe(error)}`)
      this.#isAway = true
      return undefined
    }
  }

  async #connect(): Promise<Connection> {
    const connection = await openMysql(this.#address, 'relay')
    try {
      await installMysql(connection)
    } catch (error) {
      connection.destroy()
      throw error
    }
    connection.on('error', () => this.#drop(connection))
    this.#connection = connection
    this.#isAway = false
    return connection
  }

  #drop(connection: Connection): void {
    connection.destroy()
    if (this.#connection === connection) this.#connection = undefined
  }
}

/** A row as mysql2 gives it: whether numbers are numbers is for parameters of the address to say. */
interface WrittenRow extends Omit<OutboxRow, 'number' | 'ttl_ms' | 'min_interval_ms' | 'posted_at'> {
  readonly number: number | string
  readonly ttl_ms: number | string | null
  readonly min_interval_ms: number | string | null
  readonly posted_at: number | string
}

function toRow(row: WrittenRow): OutboxRow {
  return {
    ...row,
    number: Number(row.number),
    ttl_ms: row.ttl_ms === null ? null : Number(row.ttl_ms),
    min_interval_ms: row.min_interval_ms === null ? null : Number(row.min_interval_ms),
    posted_at: Number(row.posted_at),
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
