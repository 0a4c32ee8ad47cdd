import type { Client } from 'pg'
import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import type { PostgresAddress } from '../stores/postgres-address.ts'
import { ask } from '../stores/postgres-client.ts'
import { PostgresLink } from '../stores/postgres-link.ts'
import { type LogRow, READ } from '../stores/postgres-rows.ts'
import { installSchema } from '../stores/postgres-schema.ts'
import type { OutboxBatch, OutboxSource } from './outbox.ts'
import { allRefused, type ReadPost, type ReadRows, refusalText } from './outbox-row.ts'
import { readPostgresDraft } from './postgres-draft.ts'

interface PostgresSourceParts {
  readonly address: PostgresAddress
  readonly readPost: ReadPost
  readonly onWarning: (reason: string) => void
}

interface Opened {
  readonly number: number
  readonly trimmed_to: string
  readonly is_foreign: boolean
}

const TAKE_COUNT = 1000
const TAKE_BYTES = 4_194_304
/** Notifications wake it; this is for one that was lost, and for a relay that is gone. */
const LOOK_MS = 1000

/** What transactions posted in a channel of a database that is no store's log. */
export class PostgresOutboxSource implements OutboxSource {
  readonly #parts: PostgresSourceParts
  readonly #link: PostgresLink
  #onMore: () => void = () => {}
  #number = 0
  /** What comes after this offset is not acknowledged. */
  #after = 0
  /** Ends with the connection, as the lock does. */
  #locked: Client | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(parts: PostgresSourceParts) {
    this.#parts = parts
    this.#link = new PostgresLink({
      connectionString: parts.address.connectionString,
      purpose: 'relay',
      onUp: (client) => this.#up(client),
      onDown: (error) => parts.onWarning(awayBecause(error)),
    })
  }

  get trouble(): string | undefined {
    const { failure } = this.#link
    return failure && awayBecause(failure)
  }

  async open(onMore: () => void): Promise<void> {
    this.#onMore = onMore
    await this.#link.start()
    this.#timer = setInterval(onMore, LOOK_MS)
  }

  async take(): Promise<OutboxBatch | undefined> {
    const client = this.#link.client
    // The link says what is wrong, and the next look finds out whether it still is.
    if (!client || !(await this.#lock(client))) return undefined
    try {
      const values = [this.#number, this.#after, Number.MAX_SAFE_INTEGER, TAKE_COUNT, TAKE_BYTES]
      const rows = await ask<LogRow>(client, { name: 'serverchannel-read', text: READ, values })
      const last = rows.at(-1)?.offset ?? null
      if (last === null) return undefined
      const read = readEntries(rows, this.#parts.readPost)
      return {
        drafts: read.drafts,
        acknowledge: (byLog: ReadonlyMap<Draft, string>) => this.#acknowledge(client, last, allRefused(read, byLog)),
      }
    } catch (error) {
      this.#link.renew()
      throw error
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#link.close()
  }

  async #up(client: Client): Promise<void> {
    await installSchema(client)
    await this.#lookUp(client)
    client.on('notification', () => this.#onMore())
    await ask(client, { text: `LISTEN serverchannel_${this.#number}` })
  }

  /** Where the outbox is, and what is acknowledged of it. */
  async #lookUp(client: Client): Promise<void> {
    const rows = await ask<Opened>(client, {
      text: "SELECT * FROM serverchannel.open_log($1, 'relay')",
      values: [this.#parts.address.channel],
    })
    const [opened] = rows
    if (!opened || opened.is_foreign) {
      throw new TypeError(
        `The channel '${this.#parts.address.channel}' in this database is a store's log already: open it as 'store', or name another channel for the outbox, as '?channel=outbox'.`,
      )
    }
    this.#number = opened.number
    this.#after = Number(opened.trimmed_to)
  }

  /** @returns whether this is the relay that takes */
  async #lock(client: Client): Promise<boolean> {
    if (this.#locked === client) return true
    const rows = await ask<{ is_mine: boolean }>(client, {
      text: 'SELECT pg_try_advisory_lock(1396917573, $1) AS is_mine',
      values: [this.#number],
    })
    if (!rows[0]?.is_mine) return false
    // The one before may have come further.
    await this.#lookUp(client)
    this.#locked = client
    return true
  }

  async #acknowledge(client: Client, upto: string, refused: ReadonlyMap<number, string>): Promise<void> {
    for (const [offset, reason] of refused) {
      // A text in PostgreSQL can't hold U+0000, which a reason may quote.
      const values = [this.#number, offset, reason.replaceAll('\u0000', '\uFFFD')]
      await ask(client, { text: 'SELECT serverchannel.put_aside($1, $2, $3)', values })
      this.#parts.onWarning(refusalText(offset, 'serverchannel.refused', reason))
    }
    await ask(client, { text: 'SELECT serverchannel.acknowledge($1, $2)', values: [this.#number, upto] })
    this.#after = Number(upto)
  }
}

function readEntries(rows: readonly LogRow[], readPost: ReadPost): ReadRows {
  const drafts: Draft[] = []
  const numberOf = new Map<Draft, number>()
  const refused = new Map<number, string>()
  for (const { offset, entry } of rows) {
    try {
      const draft = readPostgresDraft(entry ?? '', readPost)
      drafts.push(draft)
      numberOf.set(draft, Number(offset))
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error
      refused.set(Number(offset), error.message)
    }
  }
  return { drafts, numberOf, refused }
}

function awayBecause(error: unknown): string {
  return `The outbox in PostgreSQL can't be reached: ${error instanceof Error ? error.message : String(error)}`
}
