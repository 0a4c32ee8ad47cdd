import { EntryQueue } from './entry-queue.ts'
import { KeyIndex } from './key-index.ts'
import type { Slot } from './slot.ts'

/** Whom an entry can be for. */
export interface Addressee {
  readonly id: string
  /**
   * An entry that was just appended is for it. One that is not due waits for the end of its key's interval, or for the
   * next that is due. @returns whether it was new to it
   */
  notify(slot: Slot, isDue: boolean): boolean
  /** Entries up to this offset wait no longer. */
  release(offset: number): void
}

/** All that is under one audience key: who listens, and the tail's entries for it. */
export class AudienceKey {
  readonly name: string
  readonly connections: Set<Addressee> = new Set()
  /** Made with the first entry, since most keys never get one. */
  slots: EntryQueue<Slot> | undefined = undefined
  /** Of the entries that carry a key; made with the first one. */
  keyed: KeyIndex | undefined = undefined
  /** Offset of the newest entry under it that the tail lost while nothing in the tail stood for it. */
  lostTo: number

  constructor(name: string, lostTo: number) {
    this.name = name
    this.lostTo = lostTo
  }

  /** Offset of the newest entry in the tail that is for this key, 0 where there is none. */
  get newest(): number {
    const { slots } = this
    return slots !== undefined && slots.count > 0 ? slots.head : 0
  }

  add(slot: Slot): void {
    this.slots ??= new EntryQueue()
    this.slots.push(slot)
    const { key } = slot.entry
    if (key === undefined) return
    this.keyed ??= new KeyIndex()
    this.keyed.add(slot, key)
  }

  /** The oldest slot of the tail is the oldest of each of its keys. */
  dropOldest(slot: Slot): void {
    this.slots?.shift()
    const { key } = slot.entry
    if (!this.keyed?.find(slot.entry)?.hasNewerForAll(slot)) this.lostTo = slot.offset
    if (key !== undefined) this.keyed?.dropOldest(slot, key)
  }
}

/** The audience keys that somebody listens to or that the tail has entries for, and no others. */
export class AudienceKeys {
  readonly #keys = new Map<string, AudienceKey>()
  /** The same of all keys that are forgotten. */
  #lostTo = 0

  get(name: string): AudienceKey | undefined {
    return this.#keys.get(name)
  }

  obtain(name: string): AudienceKey {
    let key = this.#keys.get(name)
    if (!key) {
      key = new AudienceKey(name, this.#lostTo)
      this.#keys.set(name, key)
    }
    return key
  }

  /** Forgets the key if nothing is under it any more. */
  release(key: AudienceKey): void {
    if (key.connections.size > 0) return
    if (key.slots !== undefined && key.slots.count > 0) return
    this.#keys.delete(key.name)
    this.#lostTo = Math.max(this.#lostTo, key.lostTo)
  }

  /** The tail begins anew after this offset. */
  reset(offset: number): void {
    this.#lostTo = offset
    for (const key of this.#keys.values()) key.lostTo = offset
  }

  get count(): number {
    return this.#keys.size
  }
}
