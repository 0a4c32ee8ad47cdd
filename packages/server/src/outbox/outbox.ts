import type { Draft } from '../channel/entry.ts'

/**
 * A transaction of the application's own: whatever runs SQL in it, by whichever driver.
 *
 * @example const transaction = await pool.connect() // pg: `query` is there already
 */
export interface Transaction {
  /** Runs one statement. `params` stand for the placeholders of the database's own kind, `$1` or `?`. */
  query(text: string, params: unknown[]): PromiseLike<unknown>
}

/** How one kind of database takes posts in a transaction. A seam: one for each kind, with one suite for all. */
export interface Outbox {
  /**
   * Writes drafts in the transaction, in this order: they come into the log exactly if it commits, in the order of the
   * commits. What the database says is thrown as it is, so that whoever tries transactions again knows it.
   *
   * @throws ChannelError `store_failed` where the database is not prepared
   */
  write(transaction: Transaction, drafts: readonly Draft[]): Promise<void>
  /** Where a relay takes what was committed. Undefined: the commit itself appends it to this server's log. */
  readonly source: OutboxSource | undefined
}

/** Some of what was committed, oldest first, which is to be acknowledged when it is in the log. */
export interface OutboxBatch {
  readonly drafts: readonly Draft[]
  /** Forgets these, and no others. What is not acknowledged is taken again. */
  acknowledge(): Promise<void>
}

/** What a relay reads: transactions' posts, in the order of their commits. Of several that have it open one takes at a time. */
export interface OutboxSource {
  /** Why nothing can be taken now, in words for whoever runs it; undefined while it can. */
  readonly trouble: string | undefined
  /** Connects, and calls `onMore` whenever there may be something to take. Rejects where that fails. */
  open(onMore: () => void): Promise<void>
  /** The oldest that are not acknowledged; undefined: there are none, or somebody else takes them. Rejects while it is away. */
  take(): Promise<OutboxBatch | undefined>
  close(): Promise<void>
}
