import type { Draft, Entry } from '../channel/entry.ts'
import { toEntry } from '../channel/entry.ts'
import { entryFromText } from './draft-text.ts'

/** What `READ` gives: the log's state in each row, and an entry where there is one. */
export interface LogRow {
  readonly epoch: string
  readonly trimmed_to: string
  readonly offset: string | null
  readonly entry: string | null
}

/** Number of the channel, after which offset, up to which, entries, bytes. All of one moment. */
export const READ = `SELECT c.epoch, c.trimmed_to, e."offset", e.entry
  FROM serverchannel.channels c LEFT JOIN LATERAL (
    SELECT r."offset", r.entry FROM (
      SELECT n."offset", n.entry, n.bytes, sum(n.bytes) OVER (ORDER BY n."offset") AS bytes_to,
        row_number() OVER (ORDER BY n."offset") AS place
      FROM serverchannel.entries n WHERE n.channel = c.number AND n."offset" > $2 AND n."offset" <= $3
      ORDER BY n."offset" LIMIT $4
    ) r WHERE r.place = 1 OR r.bytes_to <= $5
  ) e ON true WHERE c.number = $1 ORDER BY e."offset"`

/** More that is missing in one place than transactions that were rolled back at their commit can leave. */
const HOLE_MAX = 200_000

/** Entries between which more is missing than can be. */
export class LogBroken extends Error {
  override readonly name = 'LogBroken'
}

/**
 * The entries of rows that come after an offset. In the place of each offset that was given to a transaction which then
 * was rolled back stands an entry for nobody: who sees an offset sees all lower ones that there will ever be.
 *
 * @throws LogBroken
 */
export function entriesOf(rows: readonly LogRow[], after: number, onWarning: (reason: string) => void): Entry[] {
  const entries: Entry[] = []
  let last = after
  for (const { offset: place, entry } of rows) {
    if (place === null || entry === null) continue
    const offset = Number(place)
    if (offset <= last) continue
    if (offset - last > HOLE_MAX) throw new LogBroken(`Entries ${last + 1} to ${offset - 1} are missing.`)
    while (++last < offset) entries.push(toEntry(NOTHING, last))
    entries.push(readEntry(entry, offset, onWarning))
  }
  return entries
}

function readEntry(text: string, offset: number, onWarning: (reason: string) => void): Entry {
  try {
    return entryFromText(text, offset)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    onWarning(`Entry ${offset} in PostgreSQL is not one and is left out: ${error.message}`)
    return toEntry(NOTHING, offset)
  }
}

const NOTHING: Draft = {
  id: '',
  isIdempotent: false,
  sender: '',
  bodyTypeName: undefined,
  channelType: undefined,
  sentBy: undefined,
  key: undefined,
  intervalMs: undefined,
  body: 'null',
  audience: { connections: [] },
  postedAt: 0,
  expiresAt: 1,
  bytes: 500,
}
