import { createHash } from 'node:crypto'
import type { Client, Notification } from 'pg'
import { type Draft, type Entry, toEntry } from '../channel/entry.ts'
import type { Appended, LogFollower, LogState } from '../channel/store.ts'
import type { PostgresAddress } from './postgres-address.ts'
import { ask, drop } from './postgres-client.ts'
import { PostgresLink } from './postgres-link.ts'
import { entriesOf, LogBroken, type LogRow, READ } from './postgres-rows.ts'
import { installSchema } from './postgres-schema.ts'

interface FollowerParts {
  readonly address: PostgresAddress
  /** Tells this node's signals from those of others. */
  readonly node: string
  readonly onWarning: (reason: string) => void
}

/** What `serverchannel.open_log` says. */
interface Opened {
  readonly number: number
  readonly epoch: string
  readonly head: string
  readonly trimmed_to: string
  readonly durability: 'logged' | 'synced' | 'replicated'
  readonly is_foreign: boolean
}

interface Checked {
  readonly epoch: string
  readonly trimmed_to: string
  readonly head: string
  /** SHA-256 of the entry at the place that was seen last, as hexadecimal digits. */
  readonly at_seen: string | null
  readonly durability: Opened['durability']
}

const READ_COUNT = 1000
const READ_BYTES = 4_194_304
const CHECK_MS = 2500
/** A check that gets no answer for so long finds the connection lost. */
const CHECK_MS_MAX = 4000
/** And a read: a check may wait behind one, and together they are to find it within ten seconds. */
const READ_MS_MAX = 6000

const CHECK = `SELECT c.epoch, c.trimmed_to, serverchannel.head(c.number) AS head, serverchannel.durability() AS durability,
  (SELECT encode(sha256(convert_to(e.entry, 'UTF8')), 'hex') FROM serverchannel.entries e
    WHERE e.channel = c.number AND e."offset" = $2) AS at_seen
  FROM serverchannel.channels c WHERE c.number = $1`

/**
 * Follows the log of a channel on a connection of its own: notifications wake it, and it then reads what there is. Every
 * few seconds it looks whether it is still told, and whether what it has seen is still there.
 */
export class PostgresFollower {
  readonly #parts: FollowerParts
  readonly #link: PostgresLink
  #follower: LogFollower | undefined
  #number = 0
  #epoch = ''
  #head = 0
  #trimmedTo = 0
  #durability: Opened['durability'] = 'synced'
  /** The text of the newest entry; undefined where that is not known, as right after opening. */
  #headText: string | undefined
  /** Its SHA-256, where the text is not known. */
  #headHash: string | undefined
  /** Who reads now, and when he has ended. */
  #reading: Promise<void> | undefined
  #isStale = false
  #timer: NodeJS.Timeout | undefined
  /** What came since somebody asked last. */
  #gained = { count: 0, bytes: 0 }

  constructor(parts: FollowerParts) {
    this.#parts = parts
    this.#link = new PostgresLink({
      connectionString: parts.address.connectionString,
      purpose: 'follower',
      onUp: (client) => this.#up(client),
    })
  }

  get number(): number {
    return this.#number
  }

  get durability(): Opened['durability'] {
    return this.#durability
  }

  get failure(): Error | undefined {
    return this.#link.failure
  }

  get state(): LogState {
    return { epoch: this.#epoch, head: this.#head, trimmedTo: Math.min(this.#trimmedTo, this.#head) }
  }

  async open(follower: LogFollower): Promise<LogState> {
    await this.#link.start()
    // Nothing is told before the state is known that it comes after.
    this.#follower = follower
    this.#timer = setInterval(() => void this.#check(), CHECK_MS)
    return this.state
  }

  /**
   * This node appended: what follows what was seen is told at once, without being read. But for what is in the log up to
   * `since`: there an idempotent draft was appended before, by whoever it was, and may have been another one.
   */
  appended(drafts: readonly Draft[], texts: readonly string[], { epoch, offsets }: Appended, since: number): void {
    const entries: Entry[] = []
    let text: string | undefined
    for (const [index, draft] of drafts.entries()) {
      const offset = offsets[index] ?? 0
      if (epoch !== this.#epoch || offset <= since || offset !== this.#head + 1 + entries.length) continue
      entries.push(toEntry(draft, offset))
      text = texts[index]
    }
    if (entries.length > 0) this.#tell(entries, text)
    if (epoch !== this.#epoch || offsets.some((offset) => offset > this.#head)) this.#wake()
  }

  trimmed(to: number): void {
    this.#trimmedTo = Math.max(this.#trimmedTo, to)
  }

  /** How much the log has gained since this was called last. */
  takeGained(): { readonly count: number; readonly bytes: number } {
    const gained = this.#gained
    this.#gained = { count: 0, bytes: 0 }
    return gained
  }

  /** Resolves when all is told that is in the log now. Not where there is no connection. */
  async catchUp(): Promise<void> {
    await this.#reading
    const client = this.#link.client
    if (client) await this.#read(client)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#follower = undefined
    await this.#link.close()
  }

  /**
   * To be called with each new connection before the log is read or appended to on it: it may lead to another server. The log
   * goes on there in the same epoch, or in another one.
   */
  async settle(client: Client): Promise<void> {
    if (this.#epoch === '') return
    const { channel, hasSynchronousStandbys } = this.#parts.address
    if (hasSynchronousStandbys) {
      const values = [channel, this.#epoch, this.#head, this.#hashOfHead() ?? null]
      await ask(client, { text: 'SELECT serverchannel.vouch($1, $2, $3, $4)', values })
    }
    await this.#openLog(client)
  }

  /** Listens before it looks where the log is: what comes in between is told twice rather than never. */
  async #up(client: Client): Promise<void> {
    const isFirst = this.#epoch === ''
    await installSchema(client)
    await this.settle(client)
    const opened = await this.#openLog(client)
    client.on('notification', (notification) => this.#notified(notification))
    await ask(client, { text: `LISTEN serverchannel_${opened.number}; LISTEN serverchannel_signal_${opened.number}` })
    this.#number = opened.number
    const state = await this.#openLog(client)
    await this.#note(client, state.durability)
    if (isFirst) this.#reset(state)
    await this.#compare(client)
    // Of the connection before this one.
    await this.#reading
    await this.#read(client)
  }

  async #openLog(client: Client): Promise<Opened> {
    const text = "SELECT * FROM serverchannel.open_log($1, 'store')"
    const [opened] = await ask<Opened>(client, { text, values: [this.#parts.address.channel] })
    if (!opened) throw new Error('PostgreSQL did not say where the log is.')
    if (!opened.is_foreign) return opened
    throw new TypeError(
      `Of the channel '${this.#parts.address.channel}' in this database a relay takes the messages to another store. Name another one for this store, as '?channel=log', or give it to the store: UPDATE serverchannel.channels SET reader = 'store' WHERE name = …`,
    )
  }

  #notified({ channel, payload = '' }: Notification): void {
    if (channel === `serverchannel_${this.#number}`) {
      if (payload === '' || Number(payload) > this.#head) this.#wake()
      return
    }
    const space = payload.indexOf(' ')
    if (payload.slice(0, space) !== this.#parts.node) this.#follower?.onSignal(payload.slice(space + 1))
  }

  #wake(): void {
    const client = this.#link.client
    if (client) void this.#read(client)
  }

  /** Reads until there is nothing more. Where somebody does already, that one looks once more. */
  #read(client: Client): Promise<void> {
    this.#isStale = true
    this.#reading ??= this.#readAll(client).finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readAll(client: Client): Promise<void> {
    try {
      while (this.#isStale) {
        this.#isStale = false
        const after = this.#head
        const values = [this.#number, after, Number.MAX_SAFE_INTEGER, READ_COUNT, READ_BYTES]
        const rows = await ask<LogRow>(client, { name: 'serverchannel-read', text: READ, values }, READ_MS_MAX)
        await this.#take(client, rows)
        if (this.#head > after && rows.length > 1) this.#isStale = true
      }
    } catch {
      // Another connection begins with a look at all of it.
      drop(client)
    }
  }

  async #take(client: Client, rows: readonly LogRow[]): Promise<void> {
    const [row] = rows
    if (row?.epoch !== this.#epoch) {
      this.#reset(await this.#openLog(client))
      return
    }
    this.trimmed(Number(row.trimmed_to))
    if (Number(row.trimmed_to) > this.#head) {
      this.#parts.onWarning('This node was cut off from PostgreSQL for longer than the history reaches.')
      this.#reset(await this.#openLog(client))
      return
    }
    try {
      this.#tell(entriesOf(rows, this.#head, this.#parts.onWarning), rows.at(-1)?.entry ?? undefined)
    } catch (error) {
      if (!(error instanceof LogBroken)) throw error
      await this.#renew(client, error.message)
    }
  }

  #tell(entries: readonly Entry[], lastText: string | undefined): void {
    const last = entries.at(-1)
    if (!last) return
    this.#head = last.offset
    this.#headText = lastText
    this.#headHash = undefined
    this.#gained.count += entries.length
    for (const { bytes } of entries) this.#gained.bytes += bytes
    this.#follower?.onEntries(entries)
  }

  /** The log goes on from where it is now: at the beginning, with another epoch, or where history does not reach. */
  #reset({ number, epoch, head, trimmed_to }: Opened): void {
    if (number !== this.#number) {
      // Made anew: it is listened to under another name.
      this.#link.renew()
    }
    const isFirst = this.#epoch === ''
    this.#epoch = epoch
    this.#head = Number(head)
    this.#headText = undefined
    this.#headHash = undefined
    this.#trimmedTo = Number(trimmed_to)
    if (!isFirst) this.#follower?.onEpoch(this.state)
  }

  async #check(): Promise<void> {
    const client = this.#link.client
    if (!client) return
    try {
      await this.#compare(client)
      await this.#read(client)
    } catch {
      drop(client)
    }
  }

  /** Whether what was seen is what the log holds. */
  async #compare(client: Client): Promise<void> {
    const seen = this.#head
    const values = [this.#number, seen]
    const [found] = await ask<Checked>(client, { text: CHECK, values }, CHECK_MS_MAX)
    if (found && found.durability !== this.#durability) await this.#note(client, found.durability)
    if (found?.epoch !== this.#epoch) return
    if (Number(found.head) < seen) {
      await this.#renew(client, `The log ends at ${found.head}, and ${seen} was seen.`)
      return
    }
    if (Number(found.trimmed_to) >= seen || seen !== this.#head) return
    const expected = this.#hashOfHead()
    if (expected === undefined) this.#headHash = found.at_seen ?? undefined
    else if (found.at_seen !== expected) await this.#renew(client, `Entry ${seen} is not the one that was seen.`)
  }

  #hashOfHead(): string | undefined {
    const text = this.#headText
    return text === undefined ? this.#headHash : createHash('sha256').update(text).digest('hex')
  }

  /** How safe commits are from now on. */
  async #note(client: Client, durability: Opened['durability']): Promise<void> {
    this.#durability = durability
    const values = [this.#number, this.#parts.address.hasSynchronousStandbys]
    await ask(client, { text: 'SELECT serverchannel.note_standbys($1, $2)', values })
  }

  async #renew(client: Client, reason: string): Promise<void> {
    this.#parts.onWarning(`The log in PostgreSQL was lost or rewound, and has a new epoch: ${reason}`)
    const values = [this.#number, this.#epoch]
    await ask(client, { text: 'SELECT serverchannel.renew_epoch($1, $2)', values })
  }
}
