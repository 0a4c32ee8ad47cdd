import type { Draft } from '../channel/entry.ts'

/** A transaction whose driver answers later, as those of servers do. */
export interface QueryTransaction {
  /** Runs one statement. `params` stand for the placeholders of the database's own kind, `$1` or `?`. */
  query(text: string, params: unknown[]): PromiseLike<unknown>
}

/** A transaction whose driver answers at once, as those of SQLite do: better-sqlite3, `node:sqlite`, libsql. */
export interface SynchronousTransaction {
  prepare(text: string): { run(...params: (string | number | null)[]): unknown }
}

/**
 * A transaction of the application's own: whatever runs SQL in it, by whichever driver.
 *
 * @example const transaction = await pool.connect() // pg: `query` is there already
 */
export type Transaction = QueryTransaction | SynchronousTransaction

/** How one kind of database takes posts in a transaction. A seam: one for each kind, with one suite for all. */
export interface Outbox {
  /** @throws TypeError where what is given runs no SQL of this database */
  writerIn(transaction: Transaction): OutboxWriter
  /** Where a relay takes what was committed. Undefined: the commit itself appends it to this server's log. */
  readonly source: OutboxSource | undefined
}

/**
 * Writes drafts in one transaction, in this order: they come into the log exactly if it commits, in the order of the
 * commits. What the database says is thrown as it is, so that whoever tries transactions again knows it.
 */
export interface OutboxWriter {
  /** Whether `write` has written when it returns, and throws rather than rejects. */
  readonly isSynchronous: boolean
  /** @throws ChannelError `store_failed` where the database is not prepared */
  write(draft: Draft): Promise<void> | undefined
}

/** Some of what was committed, oldest first, which is to be acknowledged when it is in the log. */
export interface OutboxBatch {
  readonly drafts: readonly Draft[]
  /**
   * Forgets these, and no others. What is not acknowledged is taken again.
   *
   * @param refused those of the drafts that no log takes, and why: they are put aside in the database
   */
  acknowledge(refused: ReadonlyMap<Draft, string>): Promise<void>
}

/** What a relay reads: transactions' posts, in the order of their commits. Of several that have it open one takes at a time. */
export interface OutboxSource {
  /** Connects, and calls `onMore` whenever there may be something to take. Rejects where that fails. */
  open(onMore: () => void): Promise<void>
  /** The oldest that are not acknowledged; undefined: there are none, or somebody else takes them. Rejects while it is away. */
  take(): Promise<OutboxBatch | undefined>
  close(): Promise<void>
}
