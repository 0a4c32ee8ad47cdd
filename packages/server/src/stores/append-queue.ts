import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import type { Appended } from '../channel/store.ts'

/** The engine can't be asked now: what was to be written is kept and tried again. */
export class EngineAway extends Error {
  override readonly name = 'EngineAway'
}

export interface AppendQueueLimits {
  /** Drafts that wait at a time, those under way included. */
  readonly countMax: number
  /** Bytes of them. */
  readonly bytesMax: number
  /** How long an append waits for an engine that is away. */
  readonly waitMsMax: number
  /** Drafts of several appends that go to the engine in one piece; one append goes in one piece whatever its size. */
  readonly pieceCountMax: number
  readonly pieceBytesMax: number
}

export interface AppendQueueParts {
  /** As in `Redis`. */
  readonly engine: string
  /**
   * Writes all or none of the drafts. Called for one piece at a time, in order; after {@link EngineAway} again with the very
   * same piece and number, so that one which was written before its answer was lost can be known by its number.
   */
  readonly write: (drafts: readonly Draft[], number: number) => Promise<Appended>
  readonly limits: AppendQueueLimits
}

/** Of every engine; how many bytes may wait is the operator's to say. */
export const APPEND_LIMITS: Omit<AppendQueueLimits, 'bytesMax'> = {
  countMax: 100_000,
  waitMsMax: 10_000,
  pieceCountMax: 512,
  pieceBytesMax: 1024 * 1024,
}

const RETRY_MS = 100

interface Waiting {
  readonly drafts: readonly Draft[]
  readonly bytes: number
  readonly deadlineMs: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: Error) => void
  /** It was part of a piece that was too large. */
  goesAlone: boolean
}

interface Piece {
  readonly number: number
  readonly parts: readonly Waiting[]
  readonly drafts: readonly Draft[]
  isOver: boolean
}

/**
 * What waits to be appended by an engine elsewhere: appends that come while one is under way go together in the next piece,
 * and while the engine is away they wait, up to a bound in count, bytes and time.
 */
export class AppendQueue {
  readonly #engine: string
  readonly #write: AppendQueueParts['write']
  readonly #limits: AppendQueueLimits
  #waiting: Waiting[] = []
  #piece: Piece | undefined
  #pieceNumber = 0
  #count = 0
  #bytes = 0
  #isWriting = false
  #isClosed = false
  #retry: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined
  #away: EngineAway | undefined
  #onIdle: (() => void) | undefined

  constructor({ engine, write, limits }: AppendQueueParts) {
    this.#engine = engine
    this.#write = write
    this.#limits = limits
  }

  /** Appends wait for the engine since it did not answer. */
  get away(): EngineAway | undefined {
    return this.#away
  }

  append(drafts: readonly Draft[]): Promise<Appended> {
    if (this.#isClosed) return Promise.reject(closedError(this.#engine))
    const { countMax, bytesMax, waitMsMax } = this.#limits
    let bytes = 0
    for (const draft of drafts) bytes += draft.bytes
    // One append is taken whatever its size, as long as nothing else waits.
    if (this.#count > 0 && (this.#count + drafts.length > countMax || this.#bytes + bytes > bytesMax)) {
      return Promise.reject(
        new ChannelError(
          'store_failed',
          `${this.#count} messages wait for ${this.#engine}, which is as many as may; the message was not posted. Post it again later.`,
          { cause: this.#away },
        ),
      )
    }
    this.#count += drafts.length
    this.#bytes += bytes
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        drafts,
        bytes,
        deadlineMs: performance.now() + waitMsMax,
        resolve,
        reject,
        goesAlone: false,
      })
      this.#watch()
      if (this.#retry === undefined) this.#run()
    })
  }

  /** The engine is there: what waits need not wait for the next try. */
  resume(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#run()
  }

  /** Idempotent. What is under way ends first; what waits fails. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#deadline)
    this.#deadline = undefined
    for (const waiting of this.#waiting.splice(0))
      this.#settle(waiting, () => waiting.reject(closedError(this.#engine)))
    if (this.#isWriting) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    clearTimeout(this.#retry)
    this.#retry = undefined
    if (this.#piece) this.#end(this.#piece, (waiting) => waiting.reject(unknownError(this.#engine, this.#away)))
  }

  #run(): void {
    if (this.#isWriting || this.#retry !== undefined) return
    this.#isWriting = true
    void this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      this.#piece ??= this.#take()
      const piece = this.#piece
      if (!piece) break
      try {
        this.#give(piece, await this.#write(piece.drafts, piece.number))
        this.#away = undefined
      } catch (error) {
        if (error instanceof EngineAway) {
          this.#away = error
          if (piece.isOver) this.#piece = undefined
          this.#tryLater()
          break
        }
        this.#away = undefined
        if (isTooLarge(error) && piece.parts.length > 1 && !piece.isOver) this.#takeApart(piece)
        else this.#end(piece, (waiting) => waiting.reject(error as Error))
      }
    }
    this.#isWriting = false
    this.#onIdle?.()
  }

  #tryLater(): void {
    if (this.#isClosed || (!this.#piece && this.#waiting.length === 0)) return
    this.#retry = setTimeout(() => this.resume(), RETRY_MS)
  }

  #take(): Piece | undefined {
    const { pieceCountMax, pieceBytesMax } = this.#limits
    let [taken, count, bytes] = [0, 0, 0]
    let isAlone = false
    for (const waiting of this.#waiting) {
      count += waiting.drafts.length
      bytes += waiting.bytes
      if (taken > 0 && (waiting.goesAlone || isAlone || count > pieceCountMax || bytes > pieceBytesMax)) break
      taken++
      isAlone = waiting.goesAlone
    }
    if (taken === 0) return undefined
    const parts = this.#waiting.splice(0, taken)
    const [first] = parts
    const drafts = parts.length === 1 && first ? first.drafts : parts.flatMap((waiting) => waiting.drafts)
    return { number: ++this.#pieceNumber, parts, drafts, isOver: false }
  }

  /** What went together is too large for the engine: each append goes by itself, and only one that is too large alone fails. */
  #takeApart(piece: Piece): void {
    this.#piece = undefined
    for (const waiting of piece.parts) waiting.goesAlone = true
    this.#waiting.unshift(...piece.parts)
  }

  #give(piece: Piece, { epoch, offsets, durability }: Appended): void {
    let start = 0
    this.#end(piece, (waiting) => {
      const end = start + waiting.drafts.length
      waiting.resolve({ epoch, offsets: offsets.slice(start, end), durability })
      start = end
    })
  }

  #end(piece: Piece, how: (waiting: Waiting) => void): void {
    this.#piece = undefined
    if (piece.isOver) return
    piece.isOver = true
    for (const waiting of piece.parts) this.#settle(waiting, () => how(waiting))
  }

  #settle(waiting: Waiting, how: () => void): void {
    this.#count -= waiting.drafts.length
    this.#bytes -= waiting.bytes
    how()
  }

  /** One timer for all: they have the same time to wait, so that the oldest is over first. */
  #watch(): void {
    const oldest = (this.#piece?.isOver === false ? this.#piece.parts[0] : undefined) ?? this.#waiting[0]
    if (this.#deadline !== undefined || !oldest) return
    this.#deadline = setTimeout(() => this.#expire(), Math.max(1, oldest.deadlineMs - performance.now()))
    this.#deadline.unref()
  }

  #expire(): void {
    this.#deadline = undefined
    const now = performance.now()
    const piece = this.#piece
    const [first] = piece?.parts ?? []
    if (piece && !piece.isOver && first && first.deadlineMs <= now) {
      this.#end(piece, (waiting) => waiting.reject(unknownError(this.#engine, this.#away)))
      // A write that is under way ends by itself, and nobody waits for it any more; the next piece comes after it.
      if (this.#isWriting) this.#piece = piece
    }
    while (this.#waiting[0] && this.#waiting[0].deadlineMs <= now) {
      const waiting = this.#waiting.shift()
      if (waiting) this.#settle(waiting, () => waiting.reject(this.#timeoutError()))
    }
    this.#watch()
  }

  #timeoutError(): ChannelError {
    const seconds = this.#limits.waitMsMax / 1000
    const message = `${this.#engine} did not take the message within ${seconds} s; it was not posted. Post it again later.`
    return new ChannelError('store_failed', message, { cause: this.#away })
  }
}

function closedError(engine: string): ChannelError {
  return new ChannelError('channel_closed', `The ${engine} store is closed; the message was not posted.`)
}

function unknownError(engine: string, cause: unknown): ChannelError {
  const message = `${engine} did not answer: the message may be in the log or not. Post it again with the same id.`
  return new ChannelError('store_failed', message, { cause })
}

function isTooLarge(error: unknown): boolean {
  return error instanceof ChannelError && error.code === 'body_too_large'
}
