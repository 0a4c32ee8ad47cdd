import type { Client } from 'pg'
import type { Draft } from '../channel/entry.ts'
import { draftFromText } from '../stores/draft-text.ts'
import type { PostgresAddress } from '../stores/postgres-address.ts'
import { ask } from '../stores/postgres-client.ts'
import { PostgresLink } from '../stores/postgres-link.ts'
import { type LogRow, READ } from '../stores/postgres-rows.ts'
import { installSchema } from '../stores/postgres-schema.ts'
import type { OutboxBatch, OutboxSource } from './outbox.ts'

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
  readonly #address: PostgresAddress
  readonly #onWarning: (reason: string) => void
  readonly #link: PostgresLink
  #onMore: () => void = () => {}
  #number = 0
  /** What comes after this offset is not acknowledged. */
  #after = 0
  /** Ends with the connection, as the lock does. */
  #locked: Client | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(address: PostgresAddress, onWarning: (reason: string) => void) {
    this.#address = address
    this.#onWarning = onWarning
    this.#link = new PostgresLink({
      connectionString: address.connectionString,
      purpose: 'relay',
      onUp: (client) => this.#up(client),
      onDown: (error) => onWarning(awayBecause(error)),
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
      const offsets = await this.#read(client, rows)
      return {
        drafts: [...offsets.keys()],
        acknowledge: () => this.#acknowledge(client, last),
        putAside: (draft, reason) => this.#putAside(client, offsets.get(draft) ?? '', reason),
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
      values: [this.#address.channel],
    })
    const [opened] = rows
    if (!opened || opened.is_foreign) {
      throw new TypeError(
        `The channel '${this.#address.channel}' in this database is a store's log already: open it as 'store', or name another channel for the outbox, as '?channel=outbox'.`,
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

  /** The drafts that rows hold, in order; what is none is put aside. */
  async #read(client: Client, rows: readonly LogRow[]): Promise<Map<Draft, string>> {
    const offsets = new Map<Draft, string>()
    for (const { offset, entry } of rows) {
      if (offset === null || entry === null) continue
      try {
        offsets.set(draftFromText(entry), offset)
      } catch (error) {
        // Whatever is in the text: nothing else is looked at.
        await this.#putAside(client, offset, `message_invalid: ${describe(error)}`)
        this.#onWarning(`Entry ${offset} of the outbox in PostgreSQL is not one, and was put aside: ${describe(error)}`)
      }
    }
    return offsets
  }

  async #putAside(client: Client, offset: string, reason: string): Promise<void> {
    // A text in PostgreSQL can't hold U+0000, which a reason may quote.
    const values = [this.#number, offset, reason.replaceAll('\u0000', '\uFFFD')]
    await ask(client, { text: 'SELECT serverchannel.put_aside($1, $2, $3)', values })
  }

  async #acknowledge(client: Client, offset: string): Promise<void> {
    await ask(client, { text: 'SELECT serverchannel.acknowledge($1, $2)', values: [this.#number, offset] })
    this.#after = Number(offset)
  }
}

function awayBecause(error: unknown): string {
  return `The outbox in PostgreSQL can't be reached: ${error instanceof Error ? error.message : String(error)}`
}
