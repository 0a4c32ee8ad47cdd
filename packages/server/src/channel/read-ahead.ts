import type { Entry } from './entry.ts'
import { type Member, reachOf } from './membership.ts'

/**
 * What was read of the store for a connection and not written yet. Reading goes on until there is enough for one piece,
 * and meanwhile newer entries replace older ones of the same sender and key.
 */
export class ReadAhead {
  readonly #member: Member
  /** By offset, in the log's order. */
  readonly #entries = new Map<number, Entry>()
  /** By sender, then by key. */
  readonly #newest = new Map<string, Map<string, Newest>>()
  #bytes = 0

  constructor(member: Member) {
    this.#member = member
  }

  /** Keeps what is for the member. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const reach = reachOf(entry, this.#member)
      if (reach === 'none') continue
      if (entry.key !== undefined) this.#replace(entry, entry.key, reach === 'lasting')
      this.#entries.set(entry.offset, entry)
      this.#bytes += entry.bytes
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether what is read next may replace something of it. */
  get hasKeys(): boolean {
    return this.#newest.size > 0
  }

  get entries(): Iterable<Entry> {
    return this.#entries.values()
  }

  #replace(entry: Entry, key: string, isLasting: boolean): void {
    let keys = this.#newest.get(entry.sender)
    if (!keys) {
      keys = new Map()
      this.#newest.set(entry.sender, keys)
    }
    const newest = keys.get(key)
    this.#drop(newest?.passing)
    if (isLasting) this.#drop(newest?.lasting)
    keys.set(key, isLasting ? { lasting: entry.offset } : { lasting: newest?.lasting, passing: entry.offset })
  }

  #drop(offset: number | undefined): void {
    if (offset === undefined) return
    this.#bytes -= this.#entries.get(offset)?.bytes ?? 0
    this.#entries.delete(offset)
  }
}

/** Offsets of the newest entry that reaches the member lastingly, and of one after it that does so in passing. */
interface Newest {
  readonly lasting?: number | undefined
  readonly passing?: number | undefined
}
