import type { Database, Statement } from './sqlite-database.ts'
import { FileDamaged } from './sqlite-file.ts'

/** How far the bounds of history let go of the log. */
export interface Trimmed {
  readonly to: number
  /** Of all entries ever, up to and including that one. */
  readonly bytes: number
}

interface Place {
  readonly bytes_to: number
  readonly posted_at: number
}

/** Entries looked at one by one before others have their turn. */
const STEPS_MAX = 2000

/**
 * What the bounds of history let go of: at once as far as everybody is told, from the file in pieces that are worth a
 * transaction.
 */
export class Retention {
  readonly #countMax: number
  readonly #bytesMax: number
  readonly #at: Statement
  #trimmed: Trimmed
  /** The oldest entry that is kept, once it has been looked at. */
  #front: Place | undefined

  constructor(
    database: Database,
    bounds: { readonly historyCountMax: number; readonly historyBytesMax: number },
    removed: Trimmed,
  ) {
    this.#countMax = bounds.historyCountMax
    this.#bytesMax = bounds.historyBytesMax
    this.#at = database.prepare('SELECT bytes_to, posted_at FROM entries WHERE offset = ?')
    this.#trimmed = removed
  }

  get trimmed(): Trimmed {
    return this.#trimmed
  }

  /**
   * Trims as far as the bounds ask for, or some way there.
   *
   * @param oldest ms since 1970: what was posted before is too old
   * @returns whether that was all
   */
  trim(head: number, headBytes: number, oldest: number): boolean {
    const byCount = head - this.#countMax
    if (byCount > this.#trimmed.to) {
      this.#trimmed = { to: byCount, bytes: this.#look(byCount).bytes_to }
      this.#front = undefined
    }
    for (let step = 0; this.#trimmed.to < head; step++) {
      const front = (this.#front ??= this.#look(this.#trimmed.to + 1))
      if (headBytes - this.#trimmed.bytes <= this.#bytesMax && front.posted_at >= oldest) return true
      if (step === STEPS_MAX) return false
      this.#trimmed = { to: this.#trimmed.to + 1, bytes: front.bytes_to }
      this.#front = undefined
    }
    return true
  }

  #look(offset: number): Place {
    const place = this.#at.get(offset) as Place | undefined
    if (!place) throw new FileDamaged(`Entry ${offset} is missing.`)
    return place
  }
}
