import type { Audience } from './audience.ts'

/** A message on its way into the log: checked, stamped, without a position. */
export interface Draft {
  /** The message's Id; a poster's idempotency key if it gave one. */
  readonly id: string
  /** Whether the poster gave the id, so that a second draft with it is the same message. */
  readonly isIdempotent: boolean
  readonly sender: string
  /** Left out when empty. */
  readonly bodyTypeName?: string
  /** The body as JSON text, encoded once at intake. */
  readonly body: string
  readonly audience: Audience
  /** Milliseconds since 1970. */
  readonly postedAt: number
  /** Milliseconds since 1970; from then on it is delivered to nobody. Left out: it never expires. */
  readonly expiresAt?: number
}

/** A message with its audience and its place in the log. */
export interface Entry extends Draft {
  /** Counts up by one within an epoch, from 1. */
  readonly offset: number
}

/** Bytes that an entry counts for in the bounds of tail and history: its texts, and what its objects take. */
export function entryBytes(entry: Entry): number {
  return entry.body.length + entry.sender.length + entry.id.length + ENTRY_OVERHEAD_BYTES
}

/** Objects, index places and ids of one entry, measured on Node 20 with 100-byte bodies: 300 to 420 bytes. */
const ENTRY_OVERHEAD_BYTES = 400
