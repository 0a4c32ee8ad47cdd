import { parsePosition } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { HistoryQuery } from './history.ts'

/** What of the log to read, as a caller writes it. All of it may be left out. */
export interface ReadQuery {
  /** A position, `epoch:offset`: what came after it. Left out or empty: from the oldest that is kept. */
  readonly after?: string
  /** Only messages of this sender. */
  readonly sender?: string
  /** Only what this user would have got on any connection: what is for all, and what names the user. Not what is for groups. */
  readonly user?: string
  /** At most so many, 1 to `historyReadMax`. Default 100. */
  readonly limit?: number
}

const LIMIT_DEFAULT = 100

/** @throws ChannelError `position_invalid`, `query_invalid` */
export function parseQuery(
  { after, sender, user, limit }: ReadQuery,
  limits: { readonly historyReadMax: number; readonly nameLengthMax: number },
): HistoryQuery {
  const { historyReadMax, nameLengthMax } = limits
  for (const [name, value] of [
    ['sender', sender],
    ['user', user],
  ] as const) {
    if (value === undefined) continue
    if (typeof value !== 'string' || value.length === 0 || value.length > nameLengthMax) {
      throw new ChannelError('query_invalid', `'${name}' needs to be a text of 1 to ${nameLengthMax} characters.`)
    }
  }
  const count = limit ?? Math.min(LIMIT_DEFAULT, historyReadMax)
  if (!Number.isInteger(count) || count < 1 || count > historyReadMax) {
    throw new ChannelError('query_invalid', `'limit' needs to be a whole number from 1 to ${historyReadMax}.`)
  }
  return { after: parseAfter(after), sender, user, limit: count }
}

function parseAfter(after: string | undefined): HistoryQuery['after'] {
  if (after === undefined || after === '') return undefined
  const position = typeof after === 'string' ? parsePosition(after) : undefined
  if (position) return position
  throw new ChannelError(
    'position_invalid',
    "'after' needs to be a position as messages have one, like 'XdjFlB3F7vSN:41'.",
  )
}
