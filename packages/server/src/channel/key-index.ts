import type { Timer } from './clock.ts'
import type { Entry } from './entry.ts'
import { EntryQueue } from './entry-queue.ts'
import type { Slot } from './slot.ts'

/** What the tail holds of one sender and key under one audience key. The newest of it stands for the rest. */
export class KeyedSlots {
  readonly slots: EntryQueue<Slot> = new EntryQueue()
  /** Until then entries that ask for an interval wait. Milliseconds since 1970. */
  waitsUntil = 0
  /** The newest entry that waits, and what ends its waiting. */
  waiting: { slot: Slot; readonly timer: Timer } | undefined = undefined

  /** Whether there is one that stands for this one, whoever reads. */
  hasNewerForAll({ offset }: Slot): boolean {
    const newest = this.newestUpTo(Infinity)
    return newest.offset > offset && !newest.entry.audience.except
  }

  /** The newest up to an offset that is at or after the oldest here. */
  newestUpTo(offset: number): Slot {
    return this.slots.at(Math.max(0, this.slots.indexAfter(offset) - 1))
  }
}

/**
 * Finds what the tail holds of a sender and key. The names are looked up one within the other, never joined to one text:
 * no two pairs are ever taken for the same.
 */
export class KeyIndex {
  readonly #senders = new Map<string, Map<string, KeyedSlots>>()

  find({ sender, key }: Pick<Entry, 'sender' | 'key'>): KeyedSlots | undefined {
    return key === undefined ? undefined : this.#senders.get(sender)?.get(key)
  }

  add(slot: Slot, key: string): void {
    const { sender } = slot.entry
    let keys = this.#senders.get(sender)
    if (!keys) {
      keys = new Map()
      this.#senders.set(sender, keys)
    }
    let keyed = keys.get(key)
    if (!keyed) {
      keyed = new KeyedSlots()
      keys.set(key, keyed)
    }
    keyed.slots.push(slot)
  }

  /** The oldest slot that is here leaves; what was the last of its key takes the key with it. */
  dropOldest({ entry: { sender } }: Slot, key: string): void {
    const keys = this.#senders.get(sender)
    const keyed = keys?.get(key)
    if (!keys || !keyed) return
    keyed.slots.shift()
    if (keyed.slots.count > 0) return
    keys.delete(key)
    if (keys.size === 0) this.#senders.delete(sender)
  }
}
