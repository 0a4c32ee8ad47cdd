import {
  CHANNEL_STATE_TARGET,
  type ChannelState,
  type Codec,
  MessageType,
  type Position,
} from '@serverchannel/protocol'
import { audienceKeys } from './audience.ts'
import type { Addressee, AudienceKey } from './audience-keys.ts'
import { ChannelError } from './channel-error.ts'
import { Chunk, toBytes } from './chunk.ts'
import type { Entry } from './entry.ts'
import type { Membership, Run } from './runs.ts'
import { encodeEntry, type Slot } from './slot.ts'
import type { StoreRead } from './store.ts'

/** Where a connection's bytes go. It never makes the writer wait: it says how much it holds. */
export interface Outlet {
  /** Bytes written that the peer has not taken, or has not acknowledged where it does that. */
  readonly outstandingBytes: number
  write(chunk: Chunk): void
  /** Ends the connection with this reason; the client may come back if the error's kind says so. */
  close(error: ChannelError): void
}

/** The log as a connection sees it. */
export interface LogView {
  readonly epoch: string
  /** Offset of the newest entry. */
  readonly head: number
  /** The tail holds what comes after this offset. */
  readonly start: number
  now(): number
  /** What the tail has for the connection after the cursor. */
  run(cursor: number, connection: Connection): Run
  /** What the store has after the cursor, in a bounded step. */
  read(cursor: number): Promise<StoreRead>
  /** Has the connection pumped, once, in this turn of the loop. */
  wake(connection: Connection): void
}

export interface ConnectionInit {
  readonly id: string
  readonly user: string | undefined
  readonly codec: Codec
  readonly outlet: Outlet
  readonly log: LogView
  readonly highWaterMarkBytes: number
  /** Asked for by a client that keeps its position; null: it has none yet. Undefined: it doesn't keep one. */
  readonly position: Position | null | undefined
}

/**
 * A connection is a cursor into the shared log: there is no queue. `live`: it has all that is for it. `behind`: it reads
 * on from its cursor. `blocked`: its peer has not taken what was written. `reading`: it waits for the store.
 */
type CursorState = 'live' | 'behind' | 'blocked' | 'reading' | 'closed'

export class Connection implements Addressee {
  readonly id: string
  readonly user: string | undefined
  readonly codec: Codec
  readonly memberships: Membership[] = []
  readonly #outlet: Outlet
  readonly #log: LogView
  readonly #highWaterMarkBytes: number
  readonly #keepsPosition: boolean
  #state: CursorState = 'live'
  #cursor: number
  #isAwake = false
  /** Offset of the newest entry that woke it, so that an entry for two of its keys counts once. */
  #matched = 0
  /** Told when the cursor first reaches the head: whether what was asked for has been given. */
  #recovered: boolean | undefined
  #owesState = false
  /** Newest offset that the client was told of. */
  #toldOffset = 0
  /** Numbers the reads of the store, so that one which was overtaken by a new epoch is known when it comes back. */
  #readNumber = 0

  constructor(init: ConnectionInit) {
    this.id = init.id
    this.user = init.user
    this.codec = init.codec
    this.#outlet = init.outlet
    this.#log = init.log
    this.#highWaterMarkBytes = init.highWaterMarkBytes
    this.#keepsPosition = init.position !== undefined
    this.#cursor = init.log.head
  }

  get state(): CursorState {
    return this.#state
  }

  /**
   * Begins to read: at the head, or where the client left off. `trimmedTo`: entries up to this offset are gone from the
   * log. To be called once, when the memberships are in place.
   */
  start(position: Position | null | undefined, trimmedTo: number): void {
    if (position === undefined) return
    if (position === null) this.#tellState({})
    else if (position.epoch !== this.#log.epoch || position.offset > this.#log.head) {
      this.#tellState({ recovered: false, reason: 'epoch-changed' })
    } else if (position.offset < trimmedTo) this.#tellState({ recovered: false, reason: 'history-trimmed' })
    else {
      this.#cursor = position.offset
      this.#recovered = true
      this.#owesState = true
      this.#state = 'behind'
      this.#wake()
    }
  }

  /** An entry that has just been appended is for this connection. @returns whether it was new to it. */
  notify(slot: Slot): boolean {
    if (this.#matched === slot.offset || this.#state === 'closed') return false
    this.#matched = slot.offset
    if (this.#state === 'live') {
      // Nothing between its cursor and this entry was for it.
      this.#cursor = slot.offset - 1
      this.#state = 'behind'
      this.#wake()
    }
    return true
  }

  /** The peer took what was written. */
  drained(): void {
    if (this.#state !== 'blocked') return
    this.#state = 'behind'
    this.#wake()
  }

  /** Writes what the connection may get in this turn. */
  pump(): void {
    this.#isAwake = false
    if (this.#state !== 'behind') return
    while (this.#cursor < this.#log.head) {
      if (this.#outlet.outstandingBytes >= this.#highWaterMarkBytes) {
        this.#state = 'blocked'
        return
      }
      if (this.#cursor < this.#log.start) {
        this.#state = 'reading'
        void this.#readStore()
        return
      }
      const { chunk, cursor } = this.#log.run(this.#cursor, this)
      this.#cursor = cursor
      if (chunk) this.#outlet.write(chunk)
    }
    this.#state = 'live'
    if (this.#owesState) this.#tellState(this.#recovered === undefined ? {} : { recovered: this.#recovered })
  }

  /** Writes at once what it may get, without waiting for its turn. */
  flush(): void {
    if (this.#state === 'behind') this.pump()
  }

  /**
   * Tells the client how far it has got, if it keeps a position and the log has moved on; instead of a ping, so that a
   * client to which little is addressed resumes from near the head. @returns whether it told it anything.
   */
  tellPosition(): boolean {
    if (!this.#keepsPosition || this.#state !== 'live' || this.#toldOffset === this.#log.head) return false
    // Live: nothing between its cursor and the head was for it.
    this.#cursor = this.#log.head
    this.#tellState({})
    return true
  }

  join(key: AudienceKey, since: number): void {
    if (this.#state === 'closed' || this.memberships.some((membership) => membership.key === key)) return
    this.memberships.push({ key, since })
    key.connections.add(this)
  }

  leave(key: AudienceKey): void {
    const index = this.memberships.findIndex((membership) => membership.key === key)
    if (index === -1) return
    this.memberships.splice(index, 1)
    key.connections.delete(this)
  }

  /** The log was lost or rewound: what came since the cursor can't be known, and offsets from before mean nothing. */
  epochChanged(): void {
    this.#matched = 0
    for (const [index, { key }] of this.memberships.entries()) this.memberships[index] = { key, since: 0 }
    this.#lose('epoch-changed')
  }

  close(): void {
    this.#state = 'closed'
  }

  #wake(): void {
    if (this.#isAwake) return
    this.#isAwake = true
    this.#log.wake(this)
  }

  async #readStore(): Promise<void> {
    const number = ++this.#readNumber
    let read: StoreRead
    try {
      read = await this.#log.read(this.#cursor)
    } catch (cause) {
      if (this.#isOver(number)) return
      this.#end(new ChannelError('store_failed', 'The history could not be read; connect again.', { cause }))
      return
    }
    if (this.#isOver(number)) return
    if (read.isTrimmed) {
      this.#lose('history-trimmed')
      return
    }
    const frames = read.entries.filter((entry) => this.#isFor(entry))
    if (frames.length > 0) {
      const bytes = frames.map((entry) => encodeEntry(entry, this.#log.epoch, this.codec))
      this.#outlet.write(new Chunk(Buffer.concat(bytes), bytes.length))
    }
    this.#cursor = read.entries.at(-1)?.offset ?? this.#cursor
    if (read.entries.length === 0) this.#cursor = Math.max(this.#cursor, this.#log.start)
    this.#state = 'behind'
    this.#wake()
  }

  /** The connection can have been closed while it read, or the log's epoch have changed. */
  #isOver(readNumber: number): boolean {
    return this.#state !== 'reading' || this.#readNumber !== readNumber
  }

  #isFor(entry: Entry): boolean {
    const { audience, expiresAt, offset } = entry
    if (expiresAt !== undefined && expiresAt <= this.#log.now()) return false
    if (audience.except?.includes(this.id)) return false
    if (audience.connections?.includes(this.id)) return true
    const keys = audienceKeys(audience)
    return this.memberships.some(({ key, since }) => offset > since && keys.includes(key.name))
  }

  /** States the gap to a client that keeps its position; closes one that could not know of it. */
  #lose(reason: 'epoch-changed' | 'history-trimmed'): void {
    if (this.#state === 'closed') return
    if (!this.#keepsPosition) {
      this.#end(
        new ChannelError('history_lost', `What this connection had not read is gone (${reason}); connect again.`),
      )
      return
    }
    this.#cursor = this.#log.head
    this.#state = 'live'
    this.#tellState({ recovered: false, reason })
  }

  #tellState(outcome: Pick<ChannelState, 'recovered' | 'reason'>): void {
    this.#owesState = false
    this.#recovered = undefined
    this.#toldOffset = this.#cursor
    const state: ChannelState = { epoch: this.#log.epoch, offset: this.#cursor, ...outcome }
    const data = this.codec.encode({ type: MessageType.Invocation, target: CHANNEL_STATE_TARGET, arguments: [state] })
    this.#outlet.write(new Chunk(toBytes(data), 1))
  }

  #end(error: ChannelError): void {
    this.close()
    this.#outlet.close(error)
  }
}
