import type { Tail } from './tail.ts'

/** Whoever holds back what the tail has for it. */
interface Holder {
  /** The tail is about to lose it. */
  letGo(): void
}

/**
 * Who holds back what is due, by the first entry of that: the tail is to lose none of it while it waits, since the store
 * may have lost it too by then. Costs nothing per entry; only the entry that somebody waits with is marked.
 */
export class HeldBack {
  readonly #tail: Pick<Tail, 'at' | 'isLeaving'>
  readonly #holders = new Map<number, Set<Holder>>()

  constructor(tail: Pick<Tail, 'at' | 'isLeaving'>) {
    this.#tail = tail
  }

  /** @returns false where what comes after the cursor is lost to the tail, or about to be */
  add(cursor: number, holder: Holder): boolean {
    const offset = cursor + 1
    const slot = this.#tail.at(offset)
    if (!slot || this.#tail.isLeaving(offset)) return false
    slot.isDeferred = true
    const holders = this.#holders.get(offset)
    if (holders) holders.add(holder)
    else this.#holders.set(offset, new Set([holder]))
    return true
  }

  remove(cursor: number, holder: Holder): void {
    const offset = cursor + 1
    const holders = this.#holders.get(offset)
    if (holders?.delete(holder) && holders.size === 0) this.#holders.delete(offset)
  }

  /** The tail is about to lose the entry at this offset. */
  leaving(offset: number): void {
    const holders = this.#holders.get(offset)
    this.#holders.delete(offset)
    for (const holder of holders ?? []) holder.letGo()
  }
}
