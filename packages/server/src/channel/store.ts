import type { Draft, Entry } from './entry.ts'

/** How safe an acknowledged message is: `memory`: in this process; `logged`: handed to the operating system; `synced`: on disk; `replicated`: on several machines. */
export type Durability = 'memory' | 'logged' | 'synced' | 'replicated'

/** What a log holds. */
export interface LogState {
  /** Names this life of the log. */
  readonly epoch: string
  /** Offset of the newest entry, 0 while there is none. */
  readonly head: number
  /** Entries up to and including this offset are gone. */
  readonly trimmedTo: number
}

/** Who is told of what the log gains. Calls come in the log's order, from no more than one place at a time. */
export interface LogFollower {
  /** Entries that follow each other without a gap, and follow those of the call before. */
  onEntries(entries: readonly Entry[]): void
  /**
   * The log was lost or rewound: it goes on from this state, in another epoch. In the epoch of before: what came up to this
   * state is not told, since this node was cut off for longer than history reaches.
   */
  onEpoch(state: LogState): void
  /** Another node said this with `signal`. */
  onSignal(text: string): void
}

/** Where the drafts of one append are. */
export interface Appended {
  /** The log's life that the offsets belong to: it may have another one by the time that this is looked at. */
  readonly epoch: string
  /** The offset of each draft: for an idempotent one whose id is in the log already, that of the first. */
  readonly offsets: readonly number[]
  /** How safe they truly are now, which may be less or more than what the store aims at. */
  readonly durability: Durability
}

/** What reading found. */
export interface StoreRead {
  /** In order, without a gap; empty at the head. */
  readonly entries: readonly Entry[]
  /** Entries after the asked offset are gone, so that `entries` can't begin there. */
  readonly isTrimmed: boolean
}

/**
 * Keeps the one log of a channel. A seam: every store passes the contract suite in `test/store-contract.ts`.
 *
 * An append is acknowledged once the entry is in the log at the store's durability; the follower is told of it, in
 * order with all others, before or after the acknowledgement.
 */
export interface Store {
  /** What an append is meant to reach. Each one says what it did reach. */
  readonly durability: Durability
  /** What keeps it from taking appends now, in words for whoever runs it; undefined while nothing does. */
  readonly trouble: string | undefined
  /** Opens the log. From the state that it answers with on, the follower misses nothing. */
  open(follower: LogFollower): Promise<LogState>
  /** Appends all or nothing, in the order given. */
  append(drafts: readonly Draft[]): Promise<Appended>
  /** Entries after the offset, at most `countMax` of them and about `bytesMax` bytes, at least one where there is one. */
  read(after: number, countMax: number, bytesMax: number): Promise<StoreRead>
  state(): LogState
  /**
   * Tells the followers of all other nodes that have this log open, and keeps nothing. At most once: a node that is cut off
   * misses it. Of one node's signals the order holds. At most {@link SIGNAL_BYTES_MAX} bytes of UTF-8.
   */
  signal(text: string): Promise<void>
  /** Idempotent. What was acknowledged before is safe at the store's durability. */
  close(): Promise<void>
}

/** What every engine carries in one piece: PostgreSQL's notifications are the smallest, at 8,000 bytes. */
export const SIGNAL_BYTES_MAX = 7000
