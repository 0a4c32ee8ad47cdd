import type { ServerResponse } from 'node:http'
import { ChannelError } from '../channel/channel-error.ts'
import { type HistoryEntries, historyToText } from '../channel/history.ts'
import type { ReadQuery } from '../channel/history-query.ts'
import { send } from '../transports/answer.ts'

const NAMES = ['after', 'sender', 'user', 'limit'] as const
/** How a caller may show its key: not a part of what it asks for. */
const TOKEN = 'access_token'

/** `GET /api/messages?after=&sender=&user=&limit=`: what the log has, a part at a time. */
export async function sendHistory(
  response: ServerResponse,
  query: URLSearchParams,
  read: (query: ReadQuery) => Promise<HistoryEntries>,
): Promise<void> {
  const text = historyToText(await read(toReadQuery(query)))
  send(response, 200, text, { 'Content-Type': 'application/json' })
}

/** A name that is none is refused: a filter that was misspelt would give everybody's messages. */
function toReadQuery(query: URLSearchParams): ReadQuery {
  const values: { -readonly [Name in keyof ReadQuery]: ReadQuery[Name] } = {}
  for (const name of new Set(query.keys())) {
    if (name === TOKEN) continue
    const known = NAMES.find((each) => each === name)
    const [value = '', ...others] = query.getAll(name)
    if (known === undefined || others.length > 0) {
      throw new ChannelError(
        'query_invalid',
        `The query takes ${NAMES.map((each) => `'${each}'`).join(', ')}, each once.`,
      )
    }
    if (known === 'limit') values.limit = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN
    else values[known] = value
  }
  return values
}
