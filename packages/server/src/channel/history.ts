import { encodeMessage, formatPosition, type LossReason, type Message, type Position } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { Entry } from './entry.ts'
import type { Store } from './store.ts'

/** What of the log is asked for. */
export interface HistoryQuery {
  /** What came after this position; undefined: from the oldest entry that is kept. */
  readonly after: Position | undefined
  /** Only of this sender. */
  readonly sender: string | undefined
  /** Only what this user would have got on any connection: what is for all, and what names the user. */
  readonly user: string | undefined
  /** At most so many. */
  readonly limit: number
}

/** What of the log was found. */
export interface HistoryEntries {
  readonly epoch: string
  readonly entries: readonly Entry[]
  /** Everything up to here was looked at: ask for what came after it next. */
  readonly upTo: number
  readonly hasMore: boolean
  /** Entries after the asked position are gone, or may be; those here begin with the oldest that is kept. */
  readonly missed: LossReason | undefined
}

/** Messages of the log. */
export interface History {
  /** In the log's order, with their positions. */
  readonly messages: readonly Message[]
  /** Everything up to here was looked at: give it as `after` to go on. */
  readonly position: string
  /** Whether there is more in the log now. There may be where `messages` is empty: one reading looks at a part of the log. */
  readonly hasMore: boolean
  /**
   * Given where messages after the asked position are gone: `history-trimmed`: the log does not reach back so far;
   * `epoch-changed`: the log is another one by now. `messages` then begin with the oldest that is kept.
   */
  readonly missed?: LossReason
}

/** Read at a time. */
const PIECE_COUNT = 512
const PIECE_BYTES = 262_144
/** Looked at for one answer, whatever passes the filter. */
const LOOKED_AT_MAX = 20_000
/** Of bodies in one answer, unless one message alone is larger. */
const ANSWER_BYTES_MAX = 1_048_576

/** @throws ChannelError `store_failed` */
export async function readHistory(store: Store, query: HistoryQuery, now: number): Promise<HistoryEntries> {
  const { epoch, trimmedTo, head } = store.state()
  const { after } = query
  let missed: LossReason | undefined
  if (after && after.epoch !== epoch) missed = 'epoch-changed'
  else if (after && after.offset < trimmedTo) missed = 'history-trimmed'
  let upTo = after && missed === undefined ? after.offset : trimmedTo
  const end = head
  const entries: Entry[] = []
  let bytes = 0
  for (let lookedAt = 0; upTo < end && lookedAt < LOOKED_AT_MAX; ) {
    const read = await readPiece(store, upTo)
    if (store.state().epoch !== epoch) {
      throw new ChannelError('store_failed', 'The log became another one while it was read; read again.')
    }
    if (read.isTrimmed) {
      missed ??= after ? 'history-trimmed' : undefined
      const reaches = store.state().trimmedTo
      // What has been found may end before a hole: then that is the answer, and the next one says that there is a hole.
      if (entries.length > 0 || reaches <= upTo) break
      upTo = reaches
      continue
    }
    if (read.entries.length === 0) break
    for (const entry of read.entries) {
      if (passes(entry, query, now)) {
        if (entries.length > 0 && bytes + entry.bytes > ANSWER_BYTES_MAX)
          return { epoch, entries, upTo, hasMore: true, missed }
        entries.push(entry)
        bytes += entry.bytes
      }
      upTo = entry.offset
      lookedAt++
      if (entries.length === query.limit) return { epoch, entries, upTo, hasMore: upTo < end, missed }
    }
  }
  return { epoch, entries, upTo, hasMore: upTo < end, missed }
}

async function readPiece(store: Store, after: number): ReturnType<Store['read']> {
  try {
    return await store.read(after, PIECE_COUNT, PIECE_BYTES)
  } catch (cause) {
    if (cause instanceof ChannelError) throw cause
    throw new ChannelError('store_failed', 'The history could not be read; read again.', { cause })
  }
}

function passes({ sender, audience, expiresAt }: Entry, query: HistoryQuery, now: number): boolean {
  if (query.sender !== undefined && sender !== query.sender) return false
  if (expiresAt !== undefined && expiresAt <= now) return false
  return query.user === undefined || audience.all === true || audience.users?.includes(query.user) === true
}

export function toHistory({ epoch, entries, upTo, hasMore, missed }: HistoryEntries): History {
  const messages = entries.map(
    (entry): Message => ({
      Id: entry.id,
      Header: {
        Sender: entry.sender,
        ...(entry.bodyTypeName === undefined ? {} : { BodyTypeName: entry.bodyTypeName }),
        ...(entry.channelType === undefined ? {} : { ChannelType: entry.channelType }),
        ...(entry.sentBy === undefined ? {} : { SentBy: entry.sentBy }),
      },
      Body: JSON.parse(entry.body) as unknown,
      Position: formatPosition(epoch, entry.offset),
    }),
  )
  return { messages, position: formatPosition(epoch, upTo), hasMore, ...(missed && { missed }) }
}

/** {@link History} as JSON. Bodies stay the text that they are. */
export function historyToText({ epoch, entries, upTo, hasMore, missed }: HistoryEntries): string {
  const messages = entries.map((entry) => encodeMessage({ ...entry, position: formatPosition(epoch, entry.offset) }))
  const rest = JSON.stringify({ position: formatPosition(epoch, upTo), hasMore, missed })
  return `{"messages":[${messages.join(',')}],${rest.slice(1)}`
}
