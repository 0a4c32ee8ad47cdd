import type { Connection } from 'mysql2/promise'
import type { Draft } from '../channel/entry.ts'
import { Looks } from './looks.ts'
import { ask, openMysql } from './mysql-client.ts'
import { installMysql } from './mysql-schema.ts'
import type { OutboxBatch, OutboxSource } from './outbox.ts'
import {
  allRefused,
  lastWithin,
  type OutboxRow,
  type ReadPost,
  ROW_COLUMNS,
  readRows,
  refusalText,
  TAKE_COUNT,
} from './outbox-row.ts'

interface MysqlSourceParts {
  readonly address: string
  readonly readPost: ReadPost
  readonly onWarning: (reason: string) => void
}

/** After a transaction of this process posted, after anything else that came, and at most. */
const LOOK_MS_OWN = 5
const LOOK_MS_MIN = 50
const LOOK_MS_MAX = 1000
/** Of the server's, for all of its databases; it has room for 64 characters. */
const LOCK = "CONCAT('serverchannel/', SHA1(CONCAT('relay/', DATABASE())))"

/** What transactions posted in a database of MySQL or MariaDB, which tells nobody: so it is asked. */
export class MysqlOutboxSource implements OutboxSource {
  readonly #parts: MysqlSourceParts
  readonly #looks: Looks
  #onMore: () => void = () => {}
  #connection: Connection | undefined
  /** Ends with the connection, as the lock does. */
  #isLocked = false
  /** What was acknowledged up to here. What is gone stays in the index for a while, and would be gone through at each look. */
  #after = 0

  constructor(parts: MysqlSourceParts) {
    this.#parts = parts
    this.#looks = new Looks(LOOK_MS_MAX, () => this.#onMore())
  }

  async open(onMore: () => void): Promise<void> {
    this.#onMore = onMore
    await this.#connect()
    this.#looks.soon(LOOK_MS_MIN)
  }

  /** Something is about to be committed. */
  soon(): void {
    this.#looks.soon(LOOK_MS_OWN)
  }

  async take(): Promise<OutboxBatch | undefined> {
    const connection = await this.#connect()
    try {
      return await this.#take(connection)
    } catch (error) {
      this.#drop()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#looks.close()
    const connection = this.#connection
    this.#connection = undefined
    await connection?.end().catch(() => connection.destroy())
  }

  async #take(connection: Connection): Promise<OutboxBatch | undefined> {
    let sizes = await this.#sizes(connection)
    if (sizes.length === 0) return undefined
    this.#looks.soon(LOOK_MS_MIN)
    if (!this.#isLocked) {
      if (!(await this.#lock(connection))) return undefined
      sizes = await this.#sizes(connection)
    }
    const last = lastWithin(sizes)
    const rows = await ask<OutboxRow>(
      connection,
      `SELECT number, ${ROW_COLUMNS} FROM serverchannel_outbox
        WHERE number > ${this.#after} AND number <= ${last} ORDER BY number`,
    )
    if (rows.length === 0) return undefined
    // A commit can be seen before it is on the disk; this one waits for the disk, and so for all before it.
    await ask(connection, 'UPDATE serverchannel_relay SET takes = takes + 1 WHERE one = 1')
    const read = readRows(rows.map(toRow), this.#parts.readPost)
    return {
      drafts: read.drafts,
      acknowledge: (byLog: ReadonlyMap<Draft, string>) =>
        this.#acknowledge(
          connection,
          rows.map(({ number }) => Number(number)),
          allRefused(read, byLog),
        ),
    }
  }

  #sizes(connection: Connection): Promise<readonly { readonly number: number; readonly bytes: number }[]> {
    return ask(
      connection,
      `SELECT number, LENGTH(body) AS bytes FROM serverchannel_outbox
        WHERE number > ${this.#after} ORDER BY number LIMIT ${TAKE_COUNT}`,
    )
  }

  async #acknowledge(
    connection: Connection,
    numbers: readonly number[],
    refused: ReadonlyMap<number, string>,
  ): Promise<void> {
    try {
      for (const [number, reason] of refused) {
        const text = `INSERT IGNORE INTO serverchannel_refused (number, reason, ${ROW_COLUMNS})
          SELECT number, ?, ${ROW_COLUMNS} FROM serverchannel_outbox WHERE number = ${number}`
        await ask(connection, text, [reason])
      }
      await ask(connection, `DELETE FROM serverchannel_outbox WHERE number IN (${numbers.join(', ')})`)
    } catch (error) {
      this.#drop()
      throw error
    }
    this.#after = numbers.at(-1) ?? this.#after
    for (const [number, reason] of refused) {
      this.#parts.onWarning(refusalText(number, 'serverchannel_refused', reason))
    }
  }

  /** @returns whether this is the relay that takes */
  async #lock(connection: Connection): Promise<boolean> {
    const [row] = await ask<{ readonly is_mine: number | null }>(connection, `SELECT GET_LOCK(${LOCK}, 0) AS is_mine`)
    this.#isLocked = row?.is_mine === 1
    // The one before may have come further, or less far.
    this.#after = 0
    return this.#isLocked
  }

  async #connect(): Promise<Connection> {
    if (this.#connection) return this.#connection
    const connection = await openMysql(this.#parts.address)
    try {
      await installMysql(connection)
    } catch (error) {
      connection.destroy()
      throw error
    }
    this.#connection = connection
    return connection
  }

  #drop(): void {
    this.#connection?.destroy()
    this.#connection = undefined
    this.#isLocked = false
  }
}

/** Whatever the address says of how numbers are given. */
function toRow(row: OutboxRow): OutboxRow {
  const numberOf = (value: number | null): number | null => (value === null ? null : Number(value))
  return {
    ...row,
    number: Number(row.number),
    ttl_ms: numberOf(row.ttl_ms),
    min_interval_ms: numberOf(row.min_interval_ms),
    posted_at: Number(row.posted_at),
  }
}
