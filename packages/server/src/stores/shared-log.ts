import type { Draft, Entry } from '../channel/entry.ts'
import type { Appended, Durability, LogFollower, LogState, Store, StoreRead } from '../channel/store.ts'

/**
 * One store for several followers: each has a view, which is a store of its own to it. What one view signals the others
 * hear, and so do the other nodes that have the log open.
 *
 * @example
 * const log = new SharedLog(new MemoryStore(options))
 * const channels = [new Channel({ store: log.view(), … }), new Channel({ store: log.view(), … })]
 */
export class SharedLog implements LogFollower {
  readonly #store: Store
  readonly #followers = new Set<LogFollower>()
  #opening: Promise<void> | undefined
  /** What the followers were told: an append may be in the log before they are told of it. */
  #epoch = ''
  #head = 0

  constructor(store: Store) {
    this.#store = store
  }

  get durability(): Durability {
    return this.#store.durability
  }

  get trouble(): string | undefined {
    return this.#store.trouble
  }

  /** A store on this log. The log is opened with the first view, and closed with the last. */
  view(): Store {
    return new View(this)
  }

  /** Opens the log, for its first follower. Idempotent. */
  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  /** From the state that this answers with on, the follower misses nothing. The log is open. */
  join(follower: LogFollower): LogState {
    this.#followers.add(follower)
    return this.state()
  }

  /** Closes the log where nobody is left. */
  async leave(follower: LogFollower): Promise<void> {
    if (this.#followers.delete(follower) && this.#followers.size === 0) await this.#store.close()
  }

  state(): LogState {
    const state = this.#store.state()
    if (state.epoch !== this.#epoch) return { epoch: this.#epoch, head: this.#head, trimmedTo: this.#head }
    return { epoch: this.#epoch, head: this.#head, trimmedTo: state.trimmedTo }
  }

  append(drafts: readonly Draft[]): Promise<Appended> {
    return this.#store.append(drafts)
  }

  read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    return this.#store.read(after, countMax, bytesMax)
  }

  async signal(text: string, from: LogFollower | undefined): Promise<void> {
    for (const follower of this.#followers) if (follower !== from) follower.onSignal(text)
    await this.#store.signal(text)
  }

  onEntries(entries: readonly Entry[]): void {
    this.#head = entries.at(-1)?.offset ?? this.#head
    for (const follower of this.#followers) follower.onEntries(entries)
  }

  onEpoch(state: LogState): void {
    this.#epoch = state.epoch
    this.#head = state.head
    for (const follower of this.#followers) follower.onEpoch(state)
  }

  onSignal(text: string): void {
    for (const follower of this.#followers) follower.onSignal(text)
  }

  async #open(): Promise<void> {
    const { epoch, head } = await this.#store.open(this)
    this.#epoch = epoch
    this.#head = head
  }
}

class View implements Store {
  readonly #log: SharedLog
  #follower: LogFollower | undefined

  constructor(log: SharedLog) {
    this.#log = log
  }

  get durability(): Durability {
    return this.#log.durability
  }

  get trouble(): string | undefined {
    return this.#log.trouble
  }

  async open(follower: LogFollower): Promise<LogState> {
    await this.#log.open()
    this.#follower = follower
    return this.#log.join(follower)
  }

  append(drafts: readonly Draft[]): Promise<Appended> {
    return this.#log.append(drafts)
  }

  read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    return this.#log.read(after, countMax, bytesMax)
  }

  state(): LogState {
    return this.#log.state()
  }

  signal(text: string): Promise<void> {
    return this.#log.signal(text, this.#follower)
  }

  async close(): Promise<void> {
    const follower = this.#follower
    this.#follower = undefined
    if (follower) await this.#log.leave(follower)
  }
}
