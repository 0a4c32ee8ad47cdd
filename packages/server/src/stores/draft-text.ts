import type { MessageOrigin } from '@serverchannel/protocol'
import type { Audience } from '../channel/audience.ts'
import { type Draft, draftBytes, type Entry, toEntry } from '../channel/entry.ts'

/** What stands in the first line of a draft's text. What is empty is left out. */
interface Head {
  readonly id: string
  readonly isIdempotent: true | undefined
  readonly sender: string
  readonly bodyTypeName: string | undefined
  readonly channelType: string | undefined
  readonly sentBy: MessageOrigin | undefined
  readonly key: string | undefined
  readonly intervalMs: number | undefined
  /** Left out: all. */
  readonly audience: Audience | undefined
  readonly postedAt: number
  readonly expiresAt: number | undefined
}

/**
 * A draft as text, for stores that keep texts, and between processes: a line of JSON, and below it the body, which is JSON
 * already and stays the very text that it is.
 */
export function draftToText(draft: Draft): string {
  const { id, sender, bodyTypeName, channelType, sentBy, key, intervalMs, audience, postedAt, expiresAt } = draft
  const isToAll = audience.all === true && audience.except === undefined
  // One literal, as in `toDraft`; JSON leaves out what is undefined.
  const head: Head = {
    id,
    isIdempotent: draft.isIdempotent ? true : undefined,
    sender,
    bodyTypeName,
    channelType,
    sentBy,
    key,
    intervalMs,
    audience: isToAll ? undefined : audience,
    postedAt,
    expiresAt,
  }
  return `${JSON.stringify(head)}\n${draft.body}`
}

/** What {@link draftToText} wrote, at its place in the log. @throws SyntaxError where it is not whole */
export function entryFromText(text: string, offset: number): Entry {
  return toEntry(draftFromText(text), offset)
}

/** What {@link draftToText} wrote. @throws SyntaxError where it is not whole */
export function draftFromText(text: string): Draft {
  const end = text.indexOf('\n')
  if (end === -1 || end === text.length - 1) throw new SyntaxError('An entry is not whole: there is no body.')
  const head = JSON.parse(text.slice(0, end)) as Head
  const body = text.slice(end + 1)
  const { id, sender, bodyTypeName, channelType, sentBy, key } = head
  if (typeof id !== 'string' || typeof sender !== 'string' || typeof head.postedAt !== 'number') {
    throw new SyntaxError('An entry is not whole: it has no id, sender or time.')
  }
  return {
    id,
    isIdempotent: head.isIdempotent === true,
    sender,
    bodyTypeName,
    channelType,
    sentBy,
    key,
    intervalMs: head.intervalMs,
    body,
    audience: head.audience ?? TO_ALL,
    postedAt: head.postedAt,
    expiresAt: head.expiresAt,
    bytes: draftBytes({ id, sender, bodyTypeName, channelType, sentBy, key, body }),
  }
}

const TO_ALL: Audience = { all: true }
