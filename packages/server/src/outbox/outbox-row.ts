import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import { JsonText, type Post } from '../channel/intake.ts'

/** A row of the table `serverchannel_outbox`, which is alike in SQLite and in MySQL, and which anybody may have written. */
export interface OutboxRow {
  readonly number: number
  readonly sender: string
  readonly body: string
  readonly audience: string | null
  readonly message_key: string | null
  readonly ttl_ms: number | null
  readonly id: string
  readonly min_interval_ms: number | null
  readonly body_type_name: string | null
  readonly channel_type: string | null
  readonly posted_at: number
}

/** All but the number, in the order of {@link rowValues}. */
export const ROW_COLUMNS =
  'sender, body, audience, message_key, ttl_ms, id, min_interval_ms, body_type_name, channel_type, posted_at'

/** How a draft is written. */
export const INSERT_ROW: string = `INSERT INTO serverchannel_outbox (${ROW_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** @throws ChannelError where a name can't be a column's text */
export function rowValues(draft: Draft): (string | number | null)[] {
  const { id, sender, body, audience, key, intervalMs, bodyTypeName, channelType, postedAt, expiresAt } = draft
  requireText('sender_invalid', 'sender', sender)
  requireText('id_invalid', 'id', id)
  for (const [what, value] of Object.entries({ key, bodyTypeName, channelType })) {
    if (value !== undefined) requireText('message_invalid', what, value)
  }
  const isToAll = audience.all === true && audience.except === undefined
  return [
    sender,
    body,
    isToAll ? null : JSON.stringify(audience),
    key ?? null,
    expiresAt === undefined ? null : Math.ceil(expiresAt - postedAt),
    id,
    intervalMs === undefined ? null : Math.ceil(intervalMs),
    bodyTypeName ?? null,
    channelType ?? null,
    Math.floor(postedAt),
  ]
}

/** What such databases would change, or cut off, without a word. */
function requireText(code: 'sender_invalid' | 'id_invalid' | 'message_invalid', what: string, value: string): void {
  if (!/[\0\p{Surrogate}]/u.test(value)) return
  throw new ChannelError(
    code,
    `'${what}' has a character that this database's texts can't hold: U+0000, or half of one.`,
  )
}

/** Checks a post as the server checks all, posted at a time in milliseconds since 1970. @throws ChannelError */
export type ReadPost = (post: Post, postedAt: number) => Draft

/** Rows, and what of them the server refuses. */
export interface ReadRows {
  readonly drafts: readonly Draft[]
  readonly numberOf: ReadonlyMap<Draft, number>
  /** Why, by the row's number. */
  readonly refused: ReadonlyMap<number, string>
}

export function readRows(rows: readonly OutboxRow[], readPost: ReadPost): ReadRows {
  const drafts: Draft[] = []
  const numberOf = new Map<Draft, number>()
  const refused = new Map<number, string>()
  for (const row of rows) {
    try {
      const draft = readPost(toPost(row), row.posted_at)
      drafts.push(draft)
      numberOf.set(draft, row.number)
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      refused.set(row.number, error.message)
    }
  }
  return { drafts, numberOf, refused }
}

function toPost(row: OutboxRow): Post {
  if (typeof row.posted_at !== 'number') throw new ChannelError('message_invalid', "'posted_at' is no number.")
  return {
    sender: row.sender,
    body: new JsonText(row.body),
    id: row.id,
    ...(row.audience === null ? undefined : { to: parseAudience(row.audience) }),
    ...(row.message_key === null ? undefined : { key: row.message_key }),
    ...(row.ttl_ms === null ? undefined : { ttlMs: row.ttl_ms }),
    ...(row.min_interval_ms === null ? undefined : { intervalMs: row.min_interval_ms }),
    ...(row.body_type_name === null ? undefined : { bodyTypeName: row.body_type_name }),
    ...(row.channel_type === null ? undefined : { channelType: row.channel_type }),
  }
}

/** What else is wrong with it the server says. */
function parseAudience(text: string): NonNullable<Post['to']> {
  try {
    return JSON.parse(text) as NonNullable<Post['to']>
  } catch (cause) {
    throw new ChannelError('audience_invalid', 'The audience is not one. It is no JSON.', { cause })
  }
}

/** All that is refused, by the row's number: what the server's checks say, and what the log says. */
export function allRefused({ numberOf, refused }: ReadRows, byLog: ReadonlyMap<Draft, string>): Map<number, string> {
  const all = new Map(refused)
  for (const [draft, reason] of byLog) {
    const number = numberOf.get(draft)
    if (number !== undefined) all.set(number, reason)
  }
  return all
}

/** For the log of whoever runs it. */
export function refusalText(number: number | string, table: string, reason: string): string {
  return `Message ${number}, posted in a transaction, is refused and put aside in ${table}: ${reason}`
}

/** Rows that are taken at a time, and the bytes of their bodies. */
export const TAKE_COUNT = 1000
export const TAKE_BYTES = 4_194_304

/** The number of the last row that fits, the first one in any case. */
export function lastWithin(sizes: readonly { readonly number: number; readonly bytes: number }[]): number {
  let last = 0
  let bytes = 0
  for (const [index, size] of sizes.entries()) {
    bytes += size.bytes
    if (index > 0 && bytes > TAKE_BYTES) break
    last = size.number
  }
  return last
}
