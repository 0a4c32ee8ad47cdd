import { ChannelError } from '../channel/channel-error.ts'
import { type Draft, type Entry, toEntry } from '../channel/entry.ts'
import { EntryQueue } from '../channel/entry-queue.ts'
import type { Appended, LogFollower, LogState, Store, StoreRead } from '../channel/store.ts'

export interface MemoryStoreOptions {
  /** Names the log's one life; random, so that after a restart nobody takes it for the log from before. */
  readonly epoch: string
  readonly historyCountMax: number
  readonly historyBytesMax: number
  readonly historyAgeMaxMs: number
  readonly now: () => number
}

/** Keeps the newest entries in this process. A restart loses them, and the new epoch says so. */
export class MemoryStore implements Store {
  readonly durability = 'memory'
  readonly trouble = undefined
  readonly #options: MemoryStoreOptions
  readonly #entries = new EntryQueue<Entry>()
  /** Ids that posters gave, of the entries that are still here. */
  readonly #offsets = new Map<string, number>()
  #follower: LogFollower | undefined
  #bytes = 0

  constructor(options: MemoryStoreOptions) {
    this.#options = options
  }

  open(follower: LogFollower): Promise<LogState> {
    this.#follower = follower
    return Promise.resolve(this.state())
  }

  async append(drafts: readonly Draft[]): Promise<Appended> {
    const follower = this.#follower
    if (!follower) throw new ChannelError('channel_closed', 'The memory store is closed.')
    const now = this.#options.now()
    // Before as well as after: an id is forgotten when its entry is too old, also where nobody has looked since.
    this.#trim(now)
    const offsets: number[] = []
    const entries: Entry[] = []
    for (const draft of drafts) {
      const known = draft.isIdempotent ? this.#offsets.get(draft.id) : undefined
      if (known !== undefined) {
        offsets.push(known)
        continue
      }
      const entry = toEntry(draft, this.#entries.head + 1)
      this.#entries.push(entry)
      this.#bytes += entry.bytes
      if (draft.isIdempotent) this.#offsets.set(draft.id, entry.offset)
      offsets.push(entry.offset)
      entries.push(entry)
    }
    this.#trim(now)
    if (entries.length > 0) follower.onEntries(entries)
    return { epoch: this.#options.epoch, offsets, durability: 'memory' }
  }

  read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    this.#trim()
    if (after < this.#entries.trimmedTo) return Promise.resolve({ entries: [], isTrimmed: true })
    const entries: Entry[] = []
    let bytes = 0
    for (let i = this.#entries.indexAfter(after); i < this.#entries.count; i++) {
      const entry = this.#entries.at(i)
      bytes += entry.bytes
      if (entries.length > 0 && (bytes > bytesMax || entries.length === countMax)) break
      entries.push(entry)
    }
    return Promise.resolve({ entries, isTrimmed: false })
  }

  state(): LogState {
    this.#trim()
    return { epoch: this.#options.epoch, head: this.#entries.head, trimmedTo: this.#entries.trimmedTo }
  }

  /** Nobody else has this log open. */
  signal(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#follower = undefined
    return Promise.resolve()
  }

  #trim(now = this.#options.now()): void {
    const { historyCountMax, historyBytesMax, historyAgeMaxMs } = this.#options
    const oldest = now - historyAgeMaxMs
    while (this.#entries.count > 0) {
      const entry = this.#entries.at(0)
      const fits = this.#entries.count <= historyCountMax && this.#bytes <= historyBytesMax && entry.postedAt >= oldest
      if (fits) return
      this.#entries.shift()
      this.#bytes -= entry.bytes
      if (entry.isIdempotent) this.#offsets.delete(entry.id)
    }
  }
}
