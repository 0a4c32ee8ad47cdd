import type { Client } from 'pg'
import { ask } from './postgres-client.ts'

export interface RetentionBounds {
  readonly historyCountMax: number
  readonly historyBytesMax: number
  readonly historyAgeMaxMs: number
  readonly now: () => number
}

interface Trimmed {
  readonly trimmed_to: string
  readonly oldest_at: string | null
  readonly kept_count: string | null
  readonly kept_bytes: string | null
  readonly is_done: boolean
}

/** Others trim as well: now and then it is looked whether they did. */
const LOOK_MS = 5000

/** Trims the log by the bounds of history, where there is something to trim: several nodes may, and one of them does. */
export class PostgresRetention {
  readonly #bounds: RetentionBounds
  #kept = { count: 0, bytes: 0 }
  #oldestAt = 0
  #lookedAt = -Infinity

  constructor(bounds: RetentionBounds) {
    this.#bounds = bounds
  }

  /** @param gained what came since the call before @returns up to where entries are gone, where it was looked */
  async trim(
    client: Client,
    channel: number,
    gained: { readonly count: number; readonly bytes: number },
  ): Promise<number | undefined> {
    const { historyCountMax, historyBytesMax, historyAgeMaxMs, now } = this.#bounds
    this.#kept = { count: this.#kept.count + gained.count, bytes: this.#kept.bytes + gained.bytes }
    const oldest = now() - historyAgeMaxMs
    const isOver =
      this.#kept.count > historyCountMax ||
      this.#kept.bytes > historyBytesMax ||
      (this.#kept.count > 0 && this.#oldestAt < oldest)
    if (!isOver && performance.now() - this.#lookedAt < LOOK_MS) return undefined
    this.#lookedAt = performance.now()
    for (;;) {
      const [trimmed] = await ask<Trimmed>(client, {
        name: 'serverchannel-trim',
        text: 'SELECT * FROM serverchannel.trim($1, $2, $3, $4)',
        values: [channel, historyCountMax, historyBytesMax, Math.floor(oldest)],
      })
      if (!trimmed) return undefined
      if (trimmed.is_done) {
        this.#kept = { count: Number(trimmed.kept_count ?? 0), bytes: Number(trimmed.kept_bytes ?? 0) }
        this.#oldestAt = trimmed.oldest_at === null ? 0 : Number(trimmed.oldest_at)
        return Number(trimmed.trimmed_to)
      }
    }
  }
}
