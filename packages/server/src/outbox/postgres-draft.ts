import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import { JsonText, type Post } from '../channel/intake.ts'
import type { ReadPost } from './outbox-row.ts'

/**
 * Reads an entry that transactions left in a table, where somebody may have put anything, as strictly as a post: whoever
 * reads the log later trusts what is in it.
 *
 * @param text a line of JSON, and below it the body as JSON
 * @throws ChannelError that says why this server never takes it
 */
export function readPostgresDraft(text: string, readPost: ReadPost): Draft {
  const end = text.indexOf('\n')
  if (end === -1) throw new ChannelError('message_invalid', 'The entry is not one: there is no body.')
  const { postedAt, expiresAt, audience, sentBy, ...head } = parseHead(text.slice(0, end))
  // What clients send never comes by a transaction.
  if (sentBy !== undefined) {
    throw new ChannelError('message_invalid', "'sentBy' is not for posters: only the server says which client it was.")
  }
  // Without one each try would be another message.
  if (head.id === undefined) throw new ChannelError('id_invalid', 'The entry is not one: it has no id.')
  if (typeof postedAt !== 'number') throw new ChannelError('message_invalid', "'postedAt' is no number.")
  const post = { ...head, to: audience, ttlMs: ttlOf(postedAt, expiresAt), body: new JsonText(text.slice(end + 1)) }
  // `readPost` trusts no type.
  return readPost(post as Post, postedAt)
}

/** The parts of an entry's first line, of whatever types. */
interface Head {
  readonly id?: unknown
  readonly sender?: unknown
  readonly key?: unknown
  readonly intervalMs?: unknown
  readonly bodyTypeName?: unknown
  readonly channelType?: unknown
  readonly audience?: unknown
  readonly sentBy?: unknown
  readonly postedAt?: unknown
  readonly expiresAt?: unknown
}

function parseHead(text: string): Head {
  let head: unknown
  try {
    head = JSON.parse(text)
  } catch (cause) {
    const message = `The entry is not one: its first line is no JSON: ${(cause as Error).message}`
    throw new ChannelError('message_invalid', message, { cause })
  }
  if (typeof head === 'object' && head !== null) return head
  throw new ChannelError('message_invalid', 'The entry is not one: its first line is no object.')
}

function ttlOf(postedAt: number, expiresAt: unknown): number | undefined {
  if (expiresAt === undefined) return undefined
  if (typeof expiresAt === 'number') return expiresAt - postedAt
  throw new ChannelError('ttl_invalid', "'expiresAt' is no number.")
}
