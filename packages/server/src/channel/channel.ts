import { type Codec, formatPosition, type MessageOrigin, type Position } from '@serverchannel/protocol'
import { ALL_KEY, audienceKeys, connectionKey, groupKey, userKey } from './audience.ts'
import { AudienceKeys } from './audience-keys.ts'
import { ChannelError } from './channel-error.ts'
import type { Clock, Timer } from './clock.ts'
import { Connection, type LogView, type Outlet } from './connection.ts'
import type { CheckContract } from './contract.ts'
import type { Draft, Entry } from './entry.ts'
import { HeldBack } from './held-back.ts'
import { type HistoryEntries, readHistory } from './history.ts'
import { parseQuery, type ReadQuery } from './history-query.ts'
import { type IntakeLimits, type Post, toDraft } from './intake.ts'
import { Intervals } from './intervals.ts'
import { Pump } from './pump.ts'
import { RemoteConnection, type RemoteConnectionInit } from './remote-connection.ts'
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
  readonly checkContract?: CheckContract | undefined
  /** Told once of each reserved sender under which the server's own code posts. */
  readonly onReservedSender?: (sender: string) => void
  /** Told what other nodes say with `signal`. */
  readonly onSignal?: (text: string) => void
  /** Told of connections with a user that come and go. */
  readonly onConnection?: (id: string, user: string, isHere: boolean) => void
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

interface Ahead {
  readonly request: ConnectRequest
  readonly timer: Timer
}

const READ_COUNT_MAX = 512
/** A client may have been told by another node or process what this one is yet to hear of, which takes it no longer. */
const AHEAD_MS_MAX = 10_000

/** The decisions: what goes into the log, whom each entry is for, who is woken for it. */
export class Channel implements LogFollower {
  readonly #store: Store
  readonly #clock: Clock
  readonly #limits: ChannelLimits
  readonly #createId: () => string
  readonly #checkContract: CheckContract | undefined
  readonly #onReservedSender: (sender: string) => void
  readonly #onSignal: (text: string) => void
  readonly #onConnection: (id: string, user: string, isHere: boolean) => void
  /** No more than there are. */
  readonly #reservedSeen = new Set<string>()
  readonly #keys = new AudienceKeys()
  readonly #intervals: Intervals
  readonly #tail: Tail
  readonly #runs: Runs
  readonly #log: LogView
  readonly #connections = new Map<string, Connection | RemoteConnection>()
  /** Who left off further on than this log has got. */
  readonly #ahead = new Map<Connection, Ahead>()
  /** Entries that come before the log's state does. */
  #early: Entry[] | undefined = []
  #isOpen = false

  constructor(parts: ChannelParts) {
    const { store, clock, limits, createId, checkContract } = parts
    const { onReservedSender = () => {}, onSignal = () => {}, onConnection = () => {} } = parts
    this.#store = store
    this.#clock = clock
    this.#limits = limits
    this.#createId = createId
    this.#checkContract = checkContract
    this.#onReservedSender = onReservedSender
    this.#onSignal = onSignal
    this.#onConnection = onConnection
    const intervals = new Intervals(this.#keys, clock, (id) => this.#connections.get(id))
    const tail = new Tail(this.#keys, limits, (slot) => {
      intervals.leaving(slot)
      heldBack.leaving(slot.offset)
    })
    const heldBack = new HeldBack(tail)
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
      read: async (cursor) => {
        const { entries, isTrimmed } = await store.read(cursor, READ_COUNT_MAX, limits.chunkBytesMax)
        // The store may know of more than it has told: a connection that ran ahead of the tail would get that twice.
        const isAhead = (entries.at(-1)?.offset ?? 0) > tail.head
        return { entries: isAhead ? entries.filter(({ offset }) => offset <= tail.head) : entries, isTrimmed }
      },
      wake: (connection) => pump.add(connection),
      after: (delayMs, run) => clock.after(delayMs, run),
      holdBack: (cursor, connection) => heldBack.add(cursor, connection),
      letGo: (cursor, connection) => heldBack.remove(cursor, connection),
    }
  }

  async open(): Promise<void> {
    const state = await this.#store.open(this)
    this.#tail.reset(state)
    this.#isOpen = true
    const early = this.#early ?? []
    this.#early = undefined
    this.onEntries(early.filter(({ offset }) => offset > state.head))
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
    if (this.#checkContract) for (const draft of drafts) this.#checkContract(draft)
    if (!sentBy) for (const { sender } of drafts) this.#lookAtSender(sender)
    if (!this.#isOpen) throw new ChannelError('channel_closed', 'The channel is closed; the message was not posted.')
    const appended = await this.append(drafts)
    return drafts.map((draft, index) => this.#receipt(draft, appended, appended.offsets[index] ?? 0))
  }

  /** What the log has after a position, a part at a time. @throws ChannelError */
  async read(query: ReadQuery): Promise<HistoryEntries> {
    const parsed = parseQuery(query, this.#limits)
    if (!this.#isOpen) throw new ChannelError('channel_closed', 'The channel is closed; nothing can be read.')
    return await readHistory(this.#store, parsed, this.#clock.now())
  }

  /** Appends drafts that were checked before, all or none. @throws ChannelError */
  async append(drafts: readonly Draft[]): Promise<Appended> {
    try {
      return await this.#store.append(drafts)
    } catch (cause) {
      if (cause instanceof ChannelError) throw cause
      throw new ChannelError('store_failed', 'The store did not take the message; post it again with the same id.', {
        cause,
      })
    }
  }

  /** The log gained entries: into the tail with them, and wake whom they are for. */
  onEntries(entries: readonly Entry[]): void {
    if (this.#early) {
      this.#early.push(...entries)
      return
    }
    for (const entry of entries) {
      const slot = new Slot(entry, this.#tail.epoch)
      this.#tail.push(slot)
      this.#deliver(slot)
    }
    if (this.#ahead.size > 0) this.#startReached()
  }

  onEpoch(state: LogState): void {
    const isSame = state.epoch === this.#tail.epoch
    this.#tail.reset(state)
    // In the middle of a round: what is shared there is of before.
    this.#runs.clear()
    for (const connection of this.#connections.values()) {
      if (!(connection instanceof Connection && this.#ahead.has(connection))) {
        connection.lose(isSame ? 'history-trimmed' : 'epoch-changed')
      } else if (!isSame) this.#startAhead(connection)
    }
    this.#startReached()
  }

  /** Another node said something. */
  onSignal(text: string): void {
    this.#onSignal(text)
  }

  /** Registers a connection and lets it read: from here on it gets all that is for it. */
  connect(request: ConnectRequest): Connection {
    const connection = new Connection(request, this.#log, this.#limits.highWaterMarkBytes)
    this.#connections.set(connection.id, connection)
    const { position } = request
    if (position && position.epoch === this.#tail.epoch && position.offset > this.#tail.head) {
      const timer = this.#clock.after(AHEAD_MS_MAX, () => this.#startAhead(connection))
      this.#ahead.set(connection, { request, timer })
    } else this.#start(connection, request)
    return connection
  }

  /** Registers a connection that another process writes to: what is for it is counted, and nothing written. */
  connectRemote(init: RemoteConnectionInit): RemoteConnection {
    const connection = new RemoteConnection(init)
    this.#connections.set(connection.id, connection)
    this.#joinLasting(connection, init)
    return connection
  }

  disconnect(connection: Connection | RemoteConnection): void {
    connection.close()
    if (connection instanceof Connection) {
      this.#ahead.get(connection)?.timer.stop()
      this.#ahead.delete(connection)
    }
    if (connection.user !== undefined) this.#onConnection(connection.id, connection.user, false)
    if (this.#connections.get(connection.id) === connection) this.#connections.delete(connection.id)
    for (const { key } of connection.memberships.slice()) {
      connection.leave(key)
      this.#keys.release(key)
    }
  }

  /** Ids of the user's connections. */
  *connectionsOf(user: string): Generator<string, void, undefined> {
    for (const { id } of this.#keys.get(userKey(user))?.connections ?? []) yield id
  }

  /** Users who have a connection; one that has several comes several times. */
  *users(): Generator<string, void, undefined> {
    for (const { user } of this.#connections.values()) if (user !== undefined) yield user
  }

  /** From now on what is posted to the group is for this connection. @returns false where there is no such connection */
  joinGroup(connectionId: string, group: string): boolean {
    const connection = this.#connections.get(connectionId)
    connection?.join(this.#keys.obtain(groupKey(group)), this.#tail.head, false)
    if (connection instanceof RemoteConnection) connection.onGroup(group, true)
    return connection !== undefined
  }

  leaveGroup(connectionId: string, group: string): boolean {
    const connection = this.#connections.get(connectionId)
    const key = this.#keys.get(groupKey(group))
    if (connection && key) {
      connection.leave(key)
      this.#keys.release(key)
    }
    if (connection instanceof RemoteConnection) connection.onGroup(group, false)
    return connection !== undefined
  }

  /** @see Connection.tellEvery @returns false where there is no such connection */
  tellEvery(connectionId: string, intervalMs: number): boolean {
    const connection = this.#connections.get(connectionId)
    connection?.tellEvery(intervalMs)
    return connection !== undefined
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#intervals.close()
    await this.#store.close()
  }

  #joinLasting(
    connection: Connection | RemoteConnection,
    { user, groups }: Pick<ConnectRequest, 'user' | 'groups'>,
  ): void {
    const keys = [ALL_KEY]
    if (user !== undefined) keys.push(userKey(user))
    for (const group of groups) keys.push(groupKey(group))
    for (const key of keys) connection.join(this.#keys.obtain(key), 0, true)
    if (user !== undefined) this.#onConnection(connection.id, user, true)
  }

  #start(connection: Connection, request: ConnectRequest): void {
    this.#joinLasting(connection, request)
    connection.start(request.position, this.#store.state().trimmedTo)
  }

  /** Lets a connection read that waited for the log to get as far as its client is. */
  #startAhead(connection: Connection): void {
    const ahead = this.#ahead.get(connection)
    if (!ahead) return
    ahead.timer.stop()
    this.#ahead.delete(connection)
    this.#start(connection, ahead.request)
  }

  #startReached(): void {
    for (const [connection, { request }] of this.#ahead) {
      if ((request.position?.offset ?? 0) <= this.#tail.head) this.#startAhead(connection)
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
