import { ChannelError } from '../channel/channel-error.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { Entry } from '../channel/entry.ts'
import type { LogFollower, LogState } from '../channel/store.ts'
import { draftFromText, draftToText } from '../stores/draft-text.ts'
import type { SharedLog } from '../stores/shared-log.ts'
import type { Link } from './link.ts'
import type { StoreNotice, StoreRequest, Stretch } from './store-messages.ts'

/** With so much on its way that the other process has not taken, it gets no more; it is fed from the store later. */
const FEED_BYTES_MAX = 8_388_608
const READ_COUNT_MAX = 1000
const READ_BYTES_MAX = 1_048_576
/** So often what is trimmed or in trouble is said, where no entries say it. */
const BEAT_MS = 1000

export interface StoreHostParts {
  readonly log: SharedLog
  readonly link: Pick<Link<StoreNotice, never>, 'send' | 'bufferedBytes'>
  readonly clock: Pick<Clock, 'soon' | 'every'>
  /** The other process is so far behind that what it has not got is gone from the log. */
  readonly onLost: () => void
}

/**
 * Serves the log to a relay store in another process: the entries of one turn of the loop go out together. What it holds
 * of a process that takes nothing is bounded: that one is fed from the store when it takes again.
 */
export class StoreHost implements LogFollower {
  readonly #parts: StoreHostParts
  #state: 'closed' | 'open' | 'behind' = 'closed'
  #waiting: Entry[] = []
  #isFlushing = false
  /** The newest entry that was sent, or waits for the end of this turn. */
  #told = 0
  #epoch = ''
  #timer: Timer | undefined

  constructor(parts: StoreHostParts) {
    this.#parts = parts
  }

  onMessage(request: StoreRequest): void {
    switch (request.kind) {
      case 'open':
        void this.#open()
        return
      case 'append':
        void this.#answer(request.number, async () => {
          const appended = await this.#parts.log.append(request.texts.map(draftFromText))
          // Where the log has told of it already, the other process learns it before the acknowledgement too.
          this.#flush()
          return { kind: 'appended', number: request.number, ...appended }
        })
        return
      case 'read':
        void this.#answer(request.number, async () => {
          const { after, countMax, bytesMax, number } = request
          const { entries, isTrimmed } = await this.#parts.log.read(after, countMax, bytesMax)
          return { kind: 'found', number, isTrimmed, ...toStretch(entries) }
        })
        return
      case 'signal':
        void this.#parts.log.signal(request.text, this).catch(() => {})
        return
      default:
        request satisfies never
    }
  }

  /** The other process has taken what was sent. */
  onDrain(): void {
    if (this.#state === 'behind') void this.#catchUp()
  }

  onEntries(entries: readonly Entry[]): void {
    if (this.#state !== 'open') return
    for (const entry of entries) this.#waiting.push(entry)
    this.#told = entries.at(-1)?.offset ?? this.#told
    if (this.#isFlushing) return
    this.#isFlushing = true
    this.#parts.clock.soon(() => this.#flush())
  }

  onEpoch(state: LogState): void {
    if (this.#state === 'closed') return
    this.#flush()
    this.#state = 'open'
    this.#epoch = state.epoch
    this.#told = state.head
    this.#parts.link.send({ kind: 'epoch', state })
  }

  onSignal(text: string): void {
    // After the entries that were told before it.
    this.#flush()
    this.#parts.link.send({ kind: 'signalled', text })
  }

  /** Says what there is at once: what the caller sends next comes after it. */
  flush(): void {
    this.#flush()
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    this.#waiting = []
    this.#timer?.stop()
    await this.#parts.log.leave(this)
  }

  async #open(): Promise<void> {
    const { log, link } = this.#parts
    await log.open()
    if (this.#timer) return
    const state = log.join(this)
    this.#state = 'open'
    this.#epoch = state.epoch
    this.#told = state.head
    link.send({ kind: 'opened', state, durability: log.durability })
    this.#timer = this.#parts.clock.every(BEAT_MS, () => {
      link.send({ kind: 'trimmed', trimmedTo: log.state().trimmedTo, trouble: log.trouble })
    })
  }

  #flush(): void {
    this.#isFlushing = false
    const entries = this.#waiting
    if (entries.length === 0) return
    this.#waiting = []
    this.#sendEntries(entries)
    if (this.#parts.link.bufferedBytes >= FEED_BYTES_MAX) this.#state = 'behind'
  }

  #sendEntries(entries: readonly Entry[]): void {
    const { log, link } = this.#parts
    link.send({ kind: 'entries', trimmedTo: log.state().trimmedTo, trouble: log.trouble, ...toStretch(entries) })
  }

  /** Reads on from what was sent last, until the other process has all of it or takes nothing again. */
  async #catchUp(): Promise<void> {
    const { log, link, onLost } = this.#parts
    const epoch = this.#epoch
    for (;;) {
      if (link.bufferedBytes >= FEED_BYTES_MAX || this.#state !== 'behind' || this.#epoch !== epoch) return
      const { entries, isTrimmed } = await log
        .read(this.#told, READ_COUNT_MAX, READ_BYTES_MAX)
        .catch(() => ({ entries: [], isTrimmed: true }))
      if (this.#state !== 'behind' || this.#epoch !== epoch) return
      if (isTrimmed) {
        onLost()
        return
      }
      const known = entries.filter(({ offset }) => offset > this.#told && offset <= log.state().head)
      this.#told = known.at(-1)?.offset ?? this.#told
      if (known.length > 0) this.#sendEntries(known)
      if (this.#told === log.state().head) {
        this.#state = 'open'
        return
      }
      if (known.length === 0) {
        onLost()
        return
      }
    }
  }

  async #answer(number: number, run: () => Promise<StoreNotice>): Promise<void> {
    try {
      this.#parts.link.send(await run())
    } catch (error) {
      const code = error instanceof ChannelError ? error.code : ''
      const message = error instanceof Error ? error.message : String(error)
      this.#parts.link.send({ kind: 'failed', number, code, message })
    }
  }
}

function toStretch(entries: readonly Entry[]): Stretch {
  return { first: entries[0]?.offset ?? 0, texts: entries.map(draftToText) }
}
