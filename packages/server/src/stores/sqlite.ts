import { ChannelError } from '../channel/channel-error.ts'
import { type Draft, type Entry, toEntry } from '../channel/entry.ts'
import type { Appended, LogFollower, LogState, Store, StoreRead } from '../channel/store.ts'
import { draftToText, entryFromText } from './draft-text.ts'
import { SqliteLink } from './sqlite-link.ts'
import type { Answer, Notice, Opening, Row, SqliteLogOptions } from './sqlite-messages.ts'

export interface SqliteStoreOptions extends SqliteLogOptions {
  readonly historyAgeMaxMs: number
  /** Bytes of entries that are not in the log yet; any more are refused. */
  readonly storeWaitingBytesMax: number
  /** ms since 1970. */
  readonly now: () => number
  /** Told what whoever runs it has to know: that the log was lost, that a file was put aside. */
  readonly onWarning: (reason: string) => void
  /** The thread's program; left out: the one beside this file. */
  readonly program?: URL
}

interface Append {
  readonly drafts: readonly Draft[]
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: Error) => void
}

/** One transaction's worth: with more, those that come first would wait for those that come last. */
const BATCH_COUNT_MAX = 512
/** So many are worth a transaction that is sent before the one before is answered, so that neither thread waits for the other. */
const AHEAD_COUNT_MIN = 128
const CATCH_UP_COUNT_MAX = 4096
const BATCH_BYTES_MAX = 4_194_304
const PROBE_MS = 500
/** Entries that got too old are let go of this often while nobody posts or reads. */
const TRIM_MS = 30_000
/** For whoever asks for the state, this often. */
const TRIM_ASKED_MS = 1000

/**
 * Keeps the log in an SQLite file. One process has it open at a time, on a thread of its own. What is posted while a
 * transaction is under way goes together into the next one, with one sync for all of it. Where much is posted the next one is
 * sent while the thread is still at the one before.
 */
export class SqliteStore implements Store {
  readonly durability: 'logged' | 'synced'
  readonly #options: SqliteStoreOptions
  #follower: LogFollower | undefined
  #link: SqliteLink | undefined
  /** Whether the thread has the file open. */
  #isOpen = false
  /** What is wrong with the file that stands where a new one has to. */
  #damage: string | undefined
  #state: LogState = { epoch: '', head: 0, trimmedTo: 0 }
  /** What no transaction has taken yet. */
  #waiting: Append[] = []
  /** Drafts in them. */
  #waitingCount = 0
  /** Of all that is not answered yet. */
  #waitingBytes = 0
  #isFlushDue = false
  /** Transactions that were sent and are not answered. */
  #underWay = 0
  #trouble: string | undefined
  #probe: NodeJS.Timeout | undefined
  #trimmer: NodeJS.Timeout | undefined
  /** What was posted before was too old when entries were let go of last. */
  #oldest = Number.NEGATIVE_INFINITY
  #restarting: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(options: SqliteStoreOptions) {
    this.#options = options
    this.durability = options.durability
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  /** @throws TypeError where the file is not one for a log; ChannelError `store_failed` where it can't be had now */
  async open(follower: LogFollower): Promise<LogState> {
    this.#follower = follower
    const opening = await this.#start(undefined)
    if (opening.type === 'refused') {
      await this.close()
      throw opening.isOption ? new TypeError(opening.reason) : new ChannelError('store_failed', opening.reason)
    }
    this.#state = opening.state
    this.#trimmer = setInterval(() => void this.#trim(), TRIM_MS).unref()
    return this.#state
  }

  append(drafts: readonly Draft[]): Promise<Appended> {
    if (this.#closing || !this.#link) {
      return Promise.reject(new ChannelError('channel_closed', 'The SQLite store is closed.'))
    }
    const bytes = bytesOf(drafts)
    const { storeWaitingBytesMax } = this.#options
    // One that is larger than all that may wait goes alone.
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > storeWaitingBytesMax) {
      return Promise.reject(
        new ChannelError(
          'store_failed',
          `The store has more to write than the ${storeWaitingBytesMax} bytes that 'storeWaitingBytesMax' allows; post again later.`,
        ),
      )
    }
    this.#waitingBytes += bytes
    return new Promise<Appended>((resolve, reject) => {
      this.#waiting.push({ drafts, resolve, reject })
      this.#waitingCount += drafts.length
      this.#flushSoon()
    }).finally(() => {
      this.#waitingBytes -= bytes
    })
  }

  async read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    const { epoch } = this.#state
    const answer = await this.#ask({ type: 'read', after, countMax, bytesMax, oldest: this.#tooOld() })
    if (answer.type !== 'read') throw new ChannelError('store_failed', `The history can't be read: ${reasonOf(answer)}`)
    if (epoch !== this.#state.epoch) return { entries: [], isTrimmed: true }
    this.#noteTrimmed(answer.trimmedTo)
    if (after < answer.trimmedTo) return { entries: [], isTrimmed: true }
    return { entries: answer.rows.map(({ offset, text }) => entryFromText(text, offset)), isTrimmed: false }
  }

  state(): LogState {
    if (this.#tooOld() - this.#oldest >= TRIM_ASKED_MS) void this.#trim()
    return this.#state
  }

  /** Nobody else has this log open. */
  signal(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearInterval(this.#trimmer)
    clearTimeout(this.#probe)
    // What waits is taken first: it was posted before.
    while (this.#underWay > 0 || this.#waiting.length > 0) await new Promise((resolve) => setImmediate(resolve))
    await this.#restarting
    const answer = this.#isOpen ? await this.#link?.ask({ type: 'close' }) : undefined
    if (answer?.type === 'failed') {
      this.#options.onWarning(
        `The log was not closed properly, and will be checked when it is opened: ${answer.reason}`,
      )
    }
    await this.#link?.stop()
    this.#link = undefined
    this.#follower = undefined
  }

  /** Posts of the same turn go together. */
  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    const flush = (): void => {
      this.#isFlushDue = false
      this.#flush()
    }
    if (this.#underWay === 0) queueMicrotask(flush)
    else setImmediate(flush)
  }

  /** While one transaction is under way the next one gathers, and goes when it is large enough, or when that one is answered. */
  #flush(): void {
    while (this.#waiting.length > 0 && this.#mayGo) {
      this.#underWay++
      void this.#appendBatch(this.#takeBatch()).finally(() => {
        this.#underWay--
        this.#flush()
      })
    }
  }

  get #mayGo(): boolean {
    return this.#underWay === 0 || (this.#underWay === 1 && this.#waitingCount >= AHEAD_COUNT_MIN)
  }

  #takeBatch(): readonly Append[] {
    let count = 0
    let bytes = 0
    let taken = 0
    for (const { drafts } of this.#waiting) {
      count += drafts.length
      bytes += bytesOf(drafts)
      if (taken > 0 && (count > BATCH_COUNT_MAX || bytes > BATCH_BYTES_MAX)) break
      taken++
    }
    const batch = this.#waiting.splice(0, taken)
    for (const { drafts } of batch) this.#waitingCount -= drafts.length
    return batch
  }

  async #appendBatch(batch: readonly Append[]): Promise<void> {
    const drafts = batch.flatMap((append) => append.drafts)
    const oldest = this.#tooOld()
    const answer = await this.#ask({ type: 'append', rows: drafts.map(toRow), oldest })
    if (answer.type !== 'appended') {
      const cause = new Error(reasonOf(answer))
      const message = 'The store did not take the message; post it again with the same id.'
      for (const { reject } of batch) reject(new ChannelError('store_failed', message, { cause }))
      return
    }
    const { epoch } = this.#state
    this.#oldest = oldest
    let at = 0
    for (const append of batch) {
      const offsets = answer.offsets.slice(at, at + append.drafts.length)
      at += append.drafts.length
      append.resolve({ epoch, offsets, durability: this.durability })
    }
    this.#gain(drafts, answer.offsets)
    this.#noteTrimmed(answer.trimmedTo)
  }

  /** Entries are those that are new: an id that was known has the offset of the first. */
  #gain(drafts: readonly Draft[], offsets: readonly number[]): void {
    const entries: Entry[] = []
    let { head } = this.#state
    for (const [index, draft] of drafts.entries()) {
      if (offsets[index] !== head + 1) continue
      head++
      entries.push(toEntry(draft, head))
    }
    this.#state = { ...this.#state, head }
    if (entries.length > 0) this.#follower?.onEntries(entries)
  }

  async #trim(): Promise<void> {
    const oldest = this.#tooOld()
    this.#oldest = oldest
    for (let isAll = false; !isAll; ) {
      const answer = await this.#ask({ type: 'trim', oldest })
      if (answer.type !== 'trimmed') return
      this.#noteTrimmed(answer.trimmedTo)
      isAll = answer.isAll
    }
  }

  #noteTrimmed(trimmedTo: number): void {
    if (trimmedTo > this.#state.trimmedTo) this.#state = { ...this.#state, trimmedTo }
  }

  /**
   * Opens the file on a thread of its own. A damaged one is put aside by another thread, once the first is gone: what
   * SQLite still has open would clean up after itself under the name that then is the new file's.
   */
  async #start(damage: string | undefined): Promise<Exclude<Opening, { type: 'damaged' }>> {
    const { file, durability, historyCountMax, historyBytesMax, onWarning, program } = this.#options
    const link = new SqliteLink(
      program ?? new URL('./sqlite-worker.js', import.meta.url),
      { file, durability, historyCountMax, historyBytesMax, damage },
      { onNotice: (notice) => this.#hear(notice), onEnd: (reason) => this.#ended(reason) },
    )
    this.#link = link
    const opening = await link.opening
    switch (opening.type) {
      case 'opened':
        this.#isOpen = true
        this.#damage = undefined
        if (opening.reason !== undefined) onWarning(opening.reason)
        return opening
      case 'refused':
        this.#damage = opening.isAside ? undefined : damage
        return opening
      case 'damaged':
        await link.stop()
        return this.#start(opening.reason)
      default:
        return opening satisfies never
    }
  }

  #restart(): Promise<void> {
    this.#restarting ??= this.#openAgain().finally(() => {
      this.#restarting = undefined
    })
    return this.#restarting
  }

  /** Opens the file again, which is another log where the old one is damaged. */
  async #openAgain(): Promise<void> {
    this.#isOpen = false
    await this.#link?.stop()
    if (this.#closing) return
    const opening = await this.#start(this.#damage)
    if (opening.type === 'refused') {
      this.#setTrouble(opening.reason)
      return
    }
    const { epoch, head, trimmedTo } = opening.state
    if (epoch === this.#state.epoch) {
      // The thread may have ended after it had appended, and before it had said so.
      this.#state = { epoch, head: this.#state.head, trimmedTo }
      await this.#catchUp(head)
    } else {
      this.#state = opening.state
      this.#follower?.onEpoch(opening.state)
    }
    this.#setTrouble(undefined)
  }

  async #catchUp(head: number): Promise<void> {
    while (this.#state.head < head) {
      const { entries } = await this.read(this.#state.head, CATCH_UP_COUNT_MAX, BATCH_BYTES_MAX)
      if (entries.length === 0) return
      this.#state = { ...this.#state, head: entries.at(-1)?.offset ?? head }
      this.#follower?.onEntries(entries)
    }
  }

  #hear(notice: Notice): void {
    switch (notice.type) {
      case 'damaged':
        this.#damage = notice.reason
        this.#setTrouble(`The log is damaged: ${notice.reason}`)
        void this.#restart()
        return
      case 'trouble':
        this.#setTrouble(notice.reason && `'${this.#options.file}' can't be written: ${notice.reason}`)
        return
      default:
        notice satisfies never
    }
  }

  #ended(reason: string): void {
    this.#isOpen = false
    if (!this.#closing && this.#state.epoch !== '') this.#setTrouble(reason)
  }

  /** While it is in trouble it is tried until it works: nobody may post to something that is not ready. */
  #setTrouble(reason: string | undefined): void {
    if (reason !== undefined && this.#trouble === undefined) this.#options.onWarning(reason)
    if (reason === undefined && this.#trouble !== undefined) this.#options.onWarning('The log can be written again.')
    this.#trouble = reason
    clearTimeout(this.#probe)
    if (reason === undefined || this.#closing) return
    this.#probe = setTimeout(() => void this.#tryAgain(), PROBE_MS).unref()
  }

  async #tryAgain(): Promise<void> {
    if (!this.#isOpen) {
      await this.#restart()
      return
    }
    const answer = await this.#ask({ type: 'probe' })
    if (answer.type === 'failed') this.#setTrouble(this.#trouble)
  }

  #tooOld(): number {
    return this.#options.now() - this.#options.historyAgeMaxMs
  }

  #ask(...request: Parameters<SqliteLink['ask']>): Promise<Answer> {
    return this.#link?.ask(...request) ?? Promise.resolve({ type: 'failed', reason: 'The store is closed.' })
  }
}

function bytesOf(drafts: readonly Draft[]): number {
  let bytes = 0
  for (const draft of drafts) bytes += draft.bytes
  return bytes
}

function toRow(draft: Draft): Row {
  const { id, isIdempotent, bytes, postedAt } = draft
  // As JSON an id is text that SQLite keeps as it is, whatever is in it.
  return { id: isIdempotent ? JSON.stringify(id) : null, bytes, postedAt, text: draftToText(draft) }
}

function reasonOf(answer: Answer): string {
  return answer.type === 'failed' ? answer.reason : `It was answered with '${answer.type}'.`
}
