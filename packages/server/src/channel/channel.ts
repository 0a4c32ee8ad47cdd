import { type Codec, formatPosition, type MessageOrigin, type Position } from '@serverchannel/protocol'
import { ALL_KEY, audienceKeys, connectionKey, groupKey, userKey } from './audience.ts'
import { AudienceKeys } from './audience-keys.ts'
import { ChannelError } from './channel-error.ts'
import type { Clock } from './clock.ts'
import { Connection, type LogView, type Outlet } from './connection.ts'
import type { Draft, Entry } from './entry.ts'
import { type HistoryEntries, readHistory } from './history.ts'
import { parseQuery, type ReadQuery } from './history-query.ts'
import { type IntakeLimits, type Post, toDraft } from './intake.ts'
import { Intervals } from './intervals.ts'
import { Pump } from './pump.ts'
import { isReservedSender } from './reserved-senders.ts'
import { Runs } from './runs.ts'
import { Slot } from './slot.ts'
import type { Appended, Durability, LogFollower, LogState, Store } from './store.ts'
import { Tail, type TailLimits } from './tail.ts'

/** What a poster gets once its message is in the log. */
export interface Receipt {
  /** The message's Id. */
  readonly id: string
  /** `epoch:offset`. */
  readonly position: string
  /** How safe it is now. */
  readonly durability: Durability
  /** Connections of this process that it was for at that moment. Nobody there is no error: the log keeps it. */
  readonly connections: number
}

export interface ChannelLimits extends IntakeLimits, TailLimits {
  readonly highWaterMarkBytes: number
  readonly chunkBytesMax: number
  readonly sliceConnections: number
  readonly historyReadMax: number
}

export interface ChannelParts {
  readonly store: Store
  readonly clock: Clock
  readonly limits: ChannelLimits
  readonly createId: () => string
  /** Told once of each reserved sender under which the server's own code posts. */
  readonly onReservedSender?: (sender: string) => void
  /** Told what other nodes say with `signal`. */
  readonly onSignal?: (text: string) => void
}

/** Who connects, and how its bytes go out. */
export interface ConnectRequest {
  readonly id: string
  readonly user: string | undefined
  readonly groups: readonly string[]
  readonly codec: Codec
  readonly outlet: Outlet
  /** Null: the client keeps its position and has none yet. Undefined: it doesn't keep one. */
  readonly position: Position | null | undefined
}

const READ_COUNT_MAX = 512

/** The decisions: what goes into the log, whom each entry is for, who is woken for it. */
export class Channel implements LogFollower {
  readonly #store: Store
  readonly #clock: Clock
  readonly #limits: ChannelLimits
  readonly #createId: () => string
  readonly #onReservedSender: (sender: string) => void
  readonly #onSignal: (text: string) => void
  /** No more than there are. */
  readonly #reservedSeen = new Set<string>()
  readonly #keys = new AudienceKeys()
  readonly #intervals: Intervals
  readonly #tail: Tail
  readonly #runs: Runs
  readonly #log: LogView
  readonly #connections = new Map<string, Connection>()
  #isOpen = false

  constructor({ store, clock, limits, createId, onReservedSender = () => {}, onSignal = () => {} }: ChannelParts) {
    this.#store = store
    this.#clock = clock
    this.#limits = limits
    this.#createId = createId
    this.#onReservedSender = onReservedSender
    this.#onSignal = onSignal
    const intervals = new Intervals(this.#keys, clock, (id) => this.#connections.get(id))
    const tail = new Tail(this.#keys, limits, (slot) => intervals.leaving(slot))
    const runs = new Runs(limits.chunkBytesMax, clock)
    const pump = new Pump(clock, limits.sliceConnections, () => runs.clear())
    this.#intervals = intervals
    this.#tail = tail
    this.#runs = runs
    this.#log = {
      get epoch() {
        return tail.epoch
      },
      get head() {
        return tail.head
      },
      get start() {
        return tail.start
      },
      chunkBytesMax: limits.chunkBytesMax,
      now: () => clock.now(),
      run: (cursor, connection) => runs.after(cursor, connection),
      read: (cursor) => store.read(cursor, READ_COUNT_MAX, limits.chunkBytesMax),
      wake: (connection) => pump.add(connection),
    }
  }

  async open(): Promise<void> {
    this.#tail.reset(await this.#store.open(this))
    this.#isOpen = true
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get durability(): Durability {
    return this.#store.durability
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** What keeps posts from being taken now; undefined while nothing does. */
  get trouble(): string | undefined {
    return this.#isOpen ? this.#store.trouble : 'The channel is closed.'
  }

  /** Tells all other nodes on this log. See {@link Store.signal}. */
  signal(text: string): Promise<void> {
    return this.#store.signal(text)
  }

  /** The log's newest position, `epoch:offset`. */
  get position(): string {
    return formatPosition(this.#tail.epoch, this.#tail.head)
  }

  /**
   * Appends messages, all or none, in this order.
   *
   * @param sentBy the client that they come from; left out: the server's own code posts
   * @throws ChannelError
   */
  async post(posts: readonly Post[], sentBy?: MessageOrigin): Promise<readonly Receipt[]> {
    const now = this.#clock.now()
    const drafts = posts.map((post) => toDraft(post, this.#limits, now, this.#createId, sentBy))
    if (!sentBy) for (const { sender } of drafts) this.#lookAtSender(sender)
    if (!this.#isOpen) throw new ChannelError('channel_closed', 'The channel is closed; the message was not posted.')
    const appended = await this.#append(drafts)
    return drafts.map((draft, index) => this.#receipt(draft, appended, appended.offsets[index] ?? 0))
  }

  /** What the log has after a position, a part at a time. @throws ChannelError */
  async read(query: ReadQuery): Promise<HistoryEntries> {
    const parsed = parseQuery(query, this.#limits)
    if (!this.#isOpen) throw new ChannelError('channel_closed', 'The channel is closed; nothing can be read.')
    return await readHistory(this.#store, parsed, this.#clock.now())
  }

  /** The log gained entries: into the tail with them, and wake whom they are for. */
  onEntries(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const slot = new Slot(entry, this.#tail.epoch)
      this.#tail.push(slot)
      this.#deliver(slot)
    }
  }

  onEpoch(state: LogState): void {
    this.#tail.reset(state)
    // In the middle of a round: what is shared there is of the old epoch.
    this.#runs.clear()
    for (const connection of this.#connections.values()) connection.epochChanged()
  }

  /** Another node said something. */
  onSignal(text: string): void {
    this.#onSignal(text)
  }

  /** Registers a connection and lets it read: from here on it gets all that is for it. */
  connect(request: ConnectRequest): Connection {
    const connection = new Connection({
      ...request,
      log: this.#log,
      highWaterMarkBytes: this.#limits.highWaterMarkBytes,
    })
    this.#connections.set(connection.id, connection)
    const keys = [ALL_KEY]
    if (request.user !== undefined) keys.push(userKey(request.user))
    for (const group of request.groups) keys.push(groupKey(group))
    for (const key of keys) connection.join(this.#keys.obtain(key), 0, true)
    connection.start(request.position, this.#store.state().trimmedTo)
    return connection
  }

  disconnect(connection: Connection): void {
    connection.close()
    if (this.#connections.get(connection.id) === connection) this.#connections.delete(connection.id)
    for (const { key } of connection.memberships.slice()) {
      connection.leave(key)
      this.#keys.release(key)
    }
  }

  /** From now on what is posted to the group is for this connection. @returns false where there is no such connection */
  joinGroup(connectionId: string, group: string): boolean {
    const connection = this.#connections.get(connectionId)
    connection?.join(this.#keys.obtain(groupKey(group)), this.#tail.head, false)
    return connection !== undefined
  }

  leaveGroup(connectionId: string, group: string): boolean {
    const connection = this.#connections.get(connectionId)
    const key = this.#keys.get(groupKey(group))
    if (connection && key) {
      connection.leave(key)
      this.#keys.release(key)
    }
    return connection !== undefined
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#intervals.close()
    await this.#store.close()
  }

  async #append(drafts: readonly Draft[]): Promise<Appended> {
    try {
      return await this.#store.append(drafts)
    } catch (cause) {
      if (cause instanceof ChannelError) throw cause
      throw new ChannelError('store_failed', 'The store did not take the message; post it again with the same id.', {
        cause,
      })
    }
  }

  /** Creatio's clients handle these by themselves: a page that waits for such a message gets none. Source: PARITY 2.1, 5. */
  #lookAtSender(sender: string): void {
    if (!isReservedSender(sender) || this.#reservedSeen.has(sender)) return
    this.#reservedSeen.add(sender)
    this.#onReservedSender(sender)
  }

  #receipt(draft: Draft, { epoch, durability }: Appended, offset: number): Receipt {
    const slot = epoch === this.#tail.epoch ? this.#tail.at(offset) : undefined
    return { id: draft.id, position: formatPosition(epoch, offset), durability, connections: slot?.connections ?? 0 }
  }

  #deliver(slot: Slot): void {
    const { audience, intervalMs } = slot.entry
    for (const id of audience.connections ?? []) {
      const connection = this.#connections.get(id)
      // A connection is put under its own key when it is first addressed: most never are.
      connection?.join(this.#keys.obtain(connectionKey(id)), slot.offset - 1, false)
    }
    for (const name of audienceKeys(audience)) {
      const key = this.#keys.obtain(name)
      const isDue = intervalMs === undefined || this.#intervals.admits(key, slot)
      for (const connection of key.connections) {
        if (audience.except && slot.excludes(connection.id)) continue
        if (connection.notify(slot, isDue)) slot.connections++
      }
    }
  }
}
