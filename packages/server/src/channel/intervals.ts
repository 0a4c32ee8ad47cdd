import { audienceKeys } from './audience.ts'
import type { Addressee, AudienceKey, AudienceKeys } from './audience-keys.ts'
import type { Clock } from './clock.ts'
import type { KeyedSlots } from './key-index.ts'
import type { Slot } from './slot.ts'

/**
 * Entries that ask for an interval: the first of its sender and key goes at once, those after it wait for the interval's
 * end, and then the newest goes. Each audience key has intervals of its own, shared by all connections under it, so that
 * they cost nothing per connection and connections stay at the same cursor.
 */
export class Intervals {
  readonly #keys: AudienceKeys
  readonly #clock: Clock
  readonly #connectionOf: (id: string) => Addressee | undefined
  readonly #waiting = new Set<KeyedSlots>()

  constructor(keys: AudienceKeys, clock: Clock, connectionOf: (id: string) => Addressee | undefined) {
    this.#keys = keys
    this.#clock = clock
    this.#connectionOf = connectionOf
  }

  /** Whether an entry that is in the tail goes at once to those under the key; else it waits here. */
  admits(key: AudienceKey, slot: Slot): boolean {
    const { intervalMs, expiresAt } = slot.entry
    const keyed = key.keyed?.find(slot.entry)
    if (intervalMs === undefined || !keyed) return true
    const now = this.#clock.now()
    if (!keyed.waiting && keyed.waitsUntil <= now) {
      keyed.waitsUntil = now + intervalMs
      return true
    }
    // Never longer than the entry itself asks for, whatever interval is under way and wherever the clock was set.
    const until = Math.min(keyed.waitsUntil, now + intervalMs)
    if (expiresAt !== undefined && expiresAt <= until) {
      // Waiting, it would never arrive. What waited before is replaced by it.
      this.#forget(keyed)
      return true
    }
    slot.isDeferred = true
    if (keyed.waiting && until === keyed.waitsUntil) {
      keyed.waiting.slot = slot
      return false
    }
    this.#forget(keyed)
    keyed.waitsUntil = until
    keyed.waiting = { slot, timer: this.#clock.after(until - now, () => this.#end(key, keyed)) }
    this.#waiting.add(keyed)
    return false
  }

  /** The tail is about to lose the slot: nobody may wait for it any longer. */
  leaving(slot: Slot): void {
    for (const name of audienceKeys(slot.entry.audience)) {
      const key = this.#keys.get(name)
      const keyed = key?.keyed?.find(slot.entry)
      if (!key || !keyed) continue
      if (keyed.waiting?.slot === slot) this.#end(key, keyed)
      // Who is excepted from what replaced it waits for this one still.
      else
        for (const id of keyed.newestUpTo(Infinity).entry.audience.except ?? [])
          this.#connectionOf(id)?.release(slot.offset)
    }
  }

  /** Stops all that waits. */
  close(): void {
    for (const keyed of this.#waiting) this.#forget(keyed)
  }

  #end(key: AudienceKey, keyed: KeyedSlots): void {
    const slot = keyed.waiting?.slot
    this.#forget(keyed)
    if (!slot) return
    // It goes now, and the next one after it has its own interval to wait.
    keyed.waitsUntil = this.#clock.now() + (slot.entry.intervalMs ?? 0)
    // Also to whom it excepts: what it replaced for the others is the newest for those.
    for (const connection of key.connections) connection.release(slot.offset)
  }

  #forget(keyed: KeyedSlots): void {
    keyed.waiting?.timer.stop()
    keyed.waiting = undefined
    this.#waiting.delete(keyed)
  }
}
