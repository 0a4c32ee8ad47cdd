import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import type { OutboxSource } from './outbox.ts'

interface RelayParts {
  readonly source: OutboxSource
  /** Puts drafts into the log, all or none; of those that are there already it adds none. */
  readonly append: (drafts: readonly Draft[]) => Promise<unknown>
  readonly onError: (error: unknown) => void
}

const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5000

/** @throws TypeError where the outbox is none that a relay may take; ChannelError `store_failed` where it can't be reached */
export async function openRelay(parts: RelayParts): Promise<Relay> {
  const relay = new Relay(parts)
  try {
    await relay.open()
    return relay
  } catch (cause) {
    await relay.close()
    if (cause instanceof TypeError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ChannelError('store_failed', `The outbox can't be opened: ${reason}`, { cause })
  }
}

/**
 * Brings what transactions posted from an outbox into the log, in order. Each message's id is its idempotency key: what
 * was appended and not acknowledged, as where this process is killed in between, is appended again and counts once.
 */
export class Relay {
  readonly #parts: RelayParts
  #hasMore = false
  #running: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs = RETRY_MS_MIN
  #isClosed = false

  constructor(parts: RelayParts) {
    this.#parts = parts
  }

  async open(): Promise<void> {
    await this.#parts.source.open(() => this.#wake())
    this.#wake()
  }

  /** What was taken is appended and acknowledged; the rest waits for another relay. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#retry)
    await this.#running
    await this.#parts.source.close()
  }

  #wake(): void {
    this.#hasMore = true
    if (this.#running || this.#retry || this.#isClosed) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      if (this.#hasMore) this.#wake()
    })
  }

  async #run(): Promise<void> {
    try {
      while (this.#hasMore && !this.#isClosed) {
        this.#hasMore = false
        const batch = await this.#parts.source.take()
        if (!batch) continue
        const refused = new Map<Draft, string>()
        await this.#append(batch.drafts, refused)
        await batch.acknowledge(refused)
        this.#hasMore = true
        this.#retryMs = RETRY_MS_MIN
      }
    } catch (error) {
      this.#parts.onError(error)
      this.#hasMore = false
      this.#later()
    }
  }

  /** What the log refuses for good must not hold up what is behind: it is found by halves, and the rest is appended. */
  async #append(drafts: readonly Draft[], refused: Map<Draft, string>): Promise<void> {
    const [first] = drafts
    if (!first) return
    try {
      await this.#parts.append(drafts.map((draft) => ({ ...draft, isIdempotent: true })))
    } catch (error) {
      if (!(error instanceof ChannelError) || error.retry) throw error
      if (drafts.length === 1) {
        refused.set(first, error.message)
        return
      }
      const half = Math.ceil(drafts.length / 2)
      await this.#append(drafts.slice(0, half), refused)
      await this.#append(drafts.slice(half), refused)
    }
  }

  #later(): void {
    if (this.#isClosed) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#wake()
    }, this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX)
  }
}
