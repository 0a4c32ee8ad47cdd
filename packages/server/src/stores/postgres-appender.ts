import type { Client } from 'pg'
import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import type { Appended, Durability } from '../channel/store.ts'
import { draftToText } from './draft-text.ts'
import { ask, isRefusal, storeFailed } from './postgres-client.ts'
import { PostgresLink } from './postgres-link.ts'

interface AppenderParts {
  readonly connectionString: string
  readonly waitingBytesMax: number
  /** Milliseconds since 1970; of what was posted before, ids are forgotten. */
  readonly oldest: () => number
  readonly number: () => number
  /** Makes sure that what a new connection leads to is the log that it was, or has another epoch. */
  readonly onUp: (client: Client) => Promise<void>
  /** Told before the poster is. */
  readonly onAppended: (drafts: readonly Draft[], texts: readonly string[], appended: Appended, since: number) => void
}

/** One append that waits, or is under way. */
interface Waiting {
  readonly drafts: readonly Draft[]
  readonly texts: readonly string[]
  readonly bytes: number
  readonly since: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: ChannelError) => void
}

interface AppendRow {
  readonly epoch: string
  readonly durability: Durability
  readonly offsets: readonly string[]
  readonly since: string
}

const BATCH_DRAFTS = 2000
const BATCH_BYTES = 4_194_304
/** What was not even sent to the server for so long fails. */
const WAIT_MS_MAX = 10_000
const LOOK_MS = 1000
const SILENCE_MS_MAX = 4000

/** Appends on a connection of its own: what comes while one batch is under way goes with the next, in one transaction. */
export class PostgresAppender {
  readonly #parts: AppenderParts
  readonly #link: PostgresLink
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #underWay: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #isLooking = false
  /** A warning came with the batch that is under way: as that nobody waited for the replicas. */
  #isWarned = false

  constructor(parts: AppenderParts) {
    this.#parts = parts
    this.#link = new PostgresLink({
      connectionString: parts.connectionString,
      purpose: 'appender',
      onUp: (client) => {
        client.on('notice', ({ severity }) => {
          this.#isWarned ||= severity === 'WARNING'
        })
        return parts.onUp(client)
      },
      onReady: () => this.#next(),
    })
  }

  get failure(): Error | undefined {
    return this.#link.failure
  }

  async start(): Promise<void> {
    await this.#link.start()
    this.#timer = setInterval(() => {
      this.#expire()
      this.#look()
    }, LOOK_MS)
  }

  append(drafts: readonly Draft[]): Promise<Appended> {
    if (this.#isClosed) return Promise.reject(closed())
    const texts = drafts.map(draftToText)
    const bytes = drafts.reduce((sum, draft) => sum + draft.bytes, 0)
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes > this.#parts.waitingBytesMax) {
      return Promise.reject(
        storeFailed(
          `More than ${this.#parts.waitingBytesMax} bytes wait for PostgreSQL ('storeWaitingBytesMax'). ${LATER}`,
        ),
      )
    }
    this.#waitingBytes += bytes
    return new Promise((resolve, reject) => {
      this.#waiting.push({ drafts, texts, bytes, since: performance.now(), resolve, reject })
      // What is posted in this turn of the loop goes together.
      if (!this.#underWay) setImmediate(() => this.#next())
    })
  }

  /** What is under way comes to its end; what waits fails. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#fail(this.#waiting.splice(0), closed())
    await this.#underWay
    await this.#link.close()
  }

  #next(): void {
    if (this.#underWay || this.#waiting.length === 0 || !this.#link.client) return
    const batch = this.#takeBatch()
    this.#underWay = this.#send(batch).finally(() => {
      this.#underWay = undefined
      this.#next()
    })
  }

  #takeBatch(): Waiting[] {
    let [count, drafts, bytes] = [0, 0, 0]
    for (const each of this.#waiting) {
      drafts += each.drafts.length
      bytes += each.bytes
      if (count > 0 && (drafts > BATCH_DRAFTS || bytes > BATCH_BYTES)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    const client = this.#link.client
    const drafts = batch.flatMap((each) => each.drafts)
    const texts = batch.flatMap((each) => each.texts)
    try {
      if (!client) throw new Error('There is no connection.')
      this.#isWarned = false
      const [row] = await ask<AppendRow>(client, {
        name: 'serverchannel-append',
        text: APPEND,
        values: this.#values(drafts, texts),
      })
      if (!row) throw new Error('PostgreSQL did not say where the entries are.')
      const durability = this.#isWarned && row.durability === 'replicated' ? 'synced' : row.durability
      const offsets = row.offsets.map(Number)
      this.#parts.onAppended(drafts, texts, { epoch: row.epoch, offsets, durability }, Number(row.since))
      this.#settle(batch, { epoch: row.epoch, offsets, durability: await this.#reached(client, durability) })
    } catch (cause) {
      if (!isRefusal(cause)) this.#link.renew()
      const what = isRefusal(cause) ? 'PostgreSQL did not take the message' : LOST
      this.#fail(
        batch,
        storeFailed(`${what}: ${cause instanceof Error ? cause.message : String(cause)} ${LATER}`, cause),
      )
    }
  }

  #values(drafts: readonly Draft[], texts: readonly string[]): unknown[] {
    return [
      this.#parts.number(),
      texts,
      drafts.map(({ id, isIdempotent }) => (isIdempotent ? JSON.stringify(id) : null)),
      drafts.map(({ bytes }) => bytes),
      drafts.map(({ postedAt }) => Math.floor(postedAt)),
      Math.floor(this.#parts.oldest()),
    ]
  }

  /**
   * Whether it was still meant to wait for the replicas once it had ended: with `synchronous_standby_names` taken away,
   * PostgreSQL lets go of those who wait without a word.
   */
  async #reached(client: Client, durability: Durability): Promise<Durability> {
    if (durability !== 'replicated') return durability
    try {
      const [row] = await ask<{ durability: Durability }>(client, {
        name: 'serverchannel-durability',
        text: DURABILITY,
      })
      return row?.durability ?? 'synced'
    } catch {
      // It was committed: that the connection is lost since, the next one finds.
      return 'synced'
    }
  }

  #settle(batch: readonly Waiting[], { epoch, offsets, durability }: Appended): void {
    let from = 0
    for (const each of batch) {
      this.#waitingBytes -= each.bytes
      each.resolve({ epoch, durability, offsets: offsets.slice(from, from + each.drafts.length) })
      from += each.drafts.length
    }
  }

  /** A connection that nothing is sent on may be lost without anybody having been told: better found now than by a post. */
  #look(): void {
    const client = this.#link.client
    if (!client || this.#underWay || this.#isLooking) return
    this.#isLooking = true
    ask(client, { text: 'SELECT 1' }, SILENCE_MS_MAX)
      .catch(() => this.#link.renew())
      .finally(() => {
        this.#isLooking = false
      })
  }

  #expire(): void {
    const oldest = performance.now() - WAIT_MS_MAX
    const late = this.#waiting.findIndex(({ since }) => since >= oldest)
    const expired = this.#waiting.splice(0, late === -1 ? this.#waiting.length : late)
    const { failure } = this.#link
    const why = failure?.message ?? 'it is slow.'
    this.#fail(
      expired,
      storeFailed(`PostgreSQL has taken nothing for ${WAIT_MS_MAX / 1000} s: ${why} ${LATER}`, failure),
    )
  }

  #fail(failed: readonly Waiting[], error: ChannelError): void {
    for (const { bytes, reject } of failed) {
      this.#waitingBytes -= bytes
      reject(error)
    }
  }
}

const APPEND = `SELECT epoch, durability, offsets, since
  FROM serverchannel.append($1, $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bigint)`
const DURABILITY = 'SELECT serverchannel.durability() AS durability'
const LATER = 'Post again, with the same id.'
const LOST = 'PostgreSQL was lost, and may have the message or not'

function closed(): ChannelError {
  return new ChannelError('channel_closed', 'The PostgreSQL store is closed.')
}
