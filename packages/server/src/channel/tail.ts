import { audienceKeys } from './audience.ts'
import type { AudienceKeys } from './audience-keys.ts'
import { EntryQueue } from './entry-queue.ts'
import type { Slot } from './slot.ts'
import type { LogState } from './store.ts'

export interface TailLimits {
  readonly tailCountMax: number
  readonly tailBytesMax: number
}

/** The newest part of the log, in memory, indexed by audience key. Bounded in count and bytes. */
export class Tail {
  readonly #keys: AudienceKeys
  readonly #limits: TailLimits
  readonly #onLeaving: (slot: Slot) => void
  #slots = new EntryQueue<Slot>()
  #bytes = 0
  #epoch = ''
  #head = 0
  #start = 0
  /** Up to this offset it was told who leaves. */
  #toldOf = 0

  /** @param onLeaving told of a slot for which connections wait or waited, while the tail has it for a little longer */
  constructor(keys: AudienceKeys, limits: TailLimits, onLeaving: (slot: Slot) => void = () => {}) {
    this.#keys = keys
    this.#limits = limits
    this.#onLeaving = onLeaving
  }

  get epoch(): string {
    return this.#epoch
  }

  /** Offset of the log's newest entry. */
  get head(): number {
    return this.#head
  }

  /** The tail holds all entries after this offset and none before. */
  get start(): number {
    return this.#start
  }

  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#slots.count
  }

  /** Begins anew at the log's head, with nothing in it. */
  reset(state: LogState): void {
    while (this.#slots.count > 0) this.#drop()
    this.#slots = new EntryQueue()
    this.#epoch = state.epoch
    this.#head = state.head
    this.#start = state.head
    this.#toldOf = state.head
    this.#keys.reset(state.head)
  }

  push(slot: Slot): void {
    this.#slots.push(slot)
    this.#head = slot.offset
    this.#bytes += slot.bytes
    for (const name of audienceKeys(slot.entry.audience)) this.#keys.obtain(name).add(slot)
    const { tailCountMax, tailBytesMax } = this.#limits
    // The newest entry stays whatever its size: live connections are about to read it.
    while (this.#slots.count > 1 && (this.#slots.count > tailCountMax || this.#bytes > tailBytesMax)) this.#drop()
  }

  /** The slot at an offset, if the tail holds it. */
  at(offset: number): Slot | undefined {
    if (offset <= this.#start || offset > this.#head) return undefined
    return this.#slots.at(offset - this.#start - 1)
  }

  /** Whether it was told already of who waits with the entry at this offset, as of one that it loses soon. */
  isLeaving(offset: number): boolean {
    return offset <= this.#toldOf
  }

  /** Tells of what waits, up to an offset: once of each slot. */
  #letGo(offset: number): void {
    for (; this.#toldOf < offset; this.#toldOf++) {
      const slot = this.at(this.#toldOf + 1)
      if (slot?.isDeferred) this.#onLeaving(slot)
    }
  }

  #drop(): void {
    const slot = this.#slots.at(0)
    this.#letGo(this.#slots.at(this.#slots.count >>> LEAVING_SHIFT).offset)
    this.#slots.shift()
    this.#bytes -= slot.bytes
    this.#start = slot.offset
    for (const name of audienceKeys(slot.entry.audience)) {
      const key = this.#keys.get(name)
      key?.dropOldest(slot)
      if (key) this.#keys.release(key)
    }
  }
}

/** What waits is let go once it is in the oldest quarter of a full tail, so that it need not be read from the store. */
const LEAVING_SHIFT = 2
