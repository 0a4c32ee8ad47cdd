import {
  CHANNEL_STATE_TARGET,
  type ChannelState,
  type Codec,
  type LossReason,
  MessageType,
  type Position,
} from '@serverchannel/protocol'
import type { Addressee, AudienceKey } from './audience-keys.ts'
import { ChannelError } from './channel-error.ts'
import { Chunk, toBytes } from './chunk.ts'
import type { Timer } from './clock.ts'
import type { Membership } from './membership.ts'
import { ReadAhead } from './read-ahead.ts'
import { Replacements } from './replacements.ts'
import type { Reader, Run } from './runs.ts'
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
  /** What is written in one piece. */
  readonly chunkBytesMax: number
  now(): number
  /** What the tail has for the connection after the cursor. */
  run(cursor: number, connection: Connection): Run
  /** What the store has after the cursor, in a bounded step. */
  read(cursor: number): Promise<StoreRead>
  /** Has the connection pumped, once, in this turn of the loop. */
  wake(connection: Connection): void
  after(delayMs: number, run: () => void): Timer
  /** Has the connection's `letGo` called before the tail loses what comes after the cursor. @returns false where it does now */
  holdBack(cursor: number, connection: Connection): boolean
  letGo(cursor: number, connection: Connection): void
}

export interface ConnectionInit {
  readonly id: string
  readonly user: string | undefined
  readonly codec: Codec
  readonly outlet: Outlet
  /** Asked for by a client that keeps its position; null: it has none yet. Undefined: it doesn't keep one. */
  readonly position: Position | null | undefined
}

/**
 * A connection is a cursor into the shared log: there is no queue. `live`: it has all that is for it. `waiting`: but for
 * entries whose key's interval is not over. `behind`: it reads on from its cursor. `blocked`: its peer has not taken what
 * was written. `reading`: it waits for the store.
 */
type CursorState = 'live' | 'waiting' | 'behind' | 'blocked' | 'reading' | 'closed'

export class Connection implements Addressee, Reader {
  readonly id: string
  readonly user: string | undefined
  readonly codec: Codec
  memberships: Membership[] = []
  readonly #outlet: Outlet
  readonly #log: LogView
  readonly #highWaterMarkBytes: number
  readonly #keepsPosition: boolean
  #state: CursorState = 'live'
  #cursor: number
  #isAwake = false
  #isStarted = false
  /** Offset of the newest entry that is for it, so that one for two of its keys counts once. */
  #matched = 0
  #due = 0
  #isCatchingUp = false
  #ahead: ReadAhead | undefined
  /** Told when the cursor first reaches the head: whether what was asked for has been given. */
  #recovered: boolean | undefined
  #owesState = false
  /** Newest offset that the client was told of. */
  #toldOffset = 0
  /** Undefined: it is told everything at once. */
  #pace: { readonly intervalMs: number; toldAt: number; timer: Timer | undefined } | undefined
  /** Numbers the reads of the store, so that one which was overtaken by a new epoch is known when it comes back. */
  #readNumber = 0

  constructor(init: ConnectionInit, log: LogView, highWaterMarkBytes: number) {
    this.id = init.id
    this.user = init.user
    this.codec = init.codec
    this.#outlet = init.outlet
    this.#log = log
    this.#highWaterMarkBytes = highWaterMarkBytes
    this.#keepsPosition = init.position !== undefined
    this.#cursor = log.head
  }

  get state(): CursorState {
    return this.#state
  }

  get due(): number {
    return this.#due
  }

  get isCatchingUp(): boolean {
    return this.#isCatchingUp
  }

  /**
   * Begins to read: at the head, or where the client left off. `trimmedTo`: entries up to this offset are gone from the
   * log. To be called once, when the memberships are in place.
   */
  start(position: Position | null | undefined, trimmedTo: number): void {
    this.#isStarted = true
    this.#cursor = this.#log.head
    if (position === undefined) return
    if (position === null) this.#tellState({})
    else if (position.epoch !== this.#log.epoch || position.offset > this.#log.head) {
      this.#tellState({ recovered: false, reason: 'epoch-changed' })
    } else if (position.offset < trimmedTo && !this.#isOnlyReplaced(position.offset, trimmedTo)) {
      this.#tellState({ recovered: false, reason: 'history-trimmed' })
    } else {
      this.#cursor = position.offset
      this.#recovered = true
      this.#owesState = true
      this.#due = this.#log.head
      this.#isCatchingUp = true
      this.#readOn()
    }
  }

  notify(slot: Slot, isDue: boolean): boolean {
    if (this.#state === 'closed') return false
    const isNew = this.#matched !== slot.offset
    this.#matched = slot.offset
    if (this.#state === 'live') {
      // Nothing between its cursor and this entry was for it.
      this.#cursor = slot.offset - 1
      this.#state = 'waiting'
    }
    if (isDue) this.release(slot.offset)
    return isNew
  }

  release(offset: number): void {
    if (this.#state === 'closed' || offset <= this.#due) return
    this.#due = offset
    if (this.#state === 'waiting' && !this.#holdsBack()) this.#readOn()
  }

  /** The peer took what was written. */
  drained(): void {
    if (this.#state === 'blocked') this.#readOn()
  }

  /** Writes what the connection may get in this turn. */
  pump(): void {
    this.#isAwake = false
    if (this.#state !== 'behind') return
    while (this.#cursor < this.#due || this.#ahead) {
      if (this.#outlet.outstandingBytes >= this.#highWaterMarkBytes) {
        this.#state = 'blocked'
        this.#isCatchingUp = true
        return
      }
      if (this.#cursor < this.#log.start && this.#hasTailAllAfter(this.#cursor)) this.#cursor = this.#log.start
      if (this.#cursor < this.#log.start && !this.#hasEnough()) {
        this.#state = 'reading'
        this.#isCatchingUp = true
        void this.#readStore()
        return
      }
      if (this.#ahead) this.#writeAhead(this.#ahead)
      else {
        const { chunk, cursor } = this.#log.run(this.#cursor, this)
        this.#cursor = cursor
        if (chunk) this.#outlet.write(chunk)
      }
    }
    this.#arrive()
  }

  /**
   * From now on it is told at most once in so many milliseconds, and of each key only the newest, as one that is behind;
   * 0: everything at once, what was held back first.
   */
  tellEvery(intervalMs: number): void {
    if (this.#state === 'closed') return
    this.#endWait()
    this.#pace = intervalMs > 0 ? { intervalMs, toldAt: -Infinity, timer: undefined } : undefined
    if (this.#state === 'waiting' && this.#due > this.#cursor && !this.#holdsBack()) this.#catchUp()
  }

  /** What it holds back is about to be lost to the tail: it can't wait for the end of the interval. */
  letGo(): void {
    if (this.#state !== 'waiting' || !this.#pace) return
    this.#endWait()
    this.#pace.toldAt = this.#log.now()
    this.#catchUp()
  }

  /** Writes at once what it may get and what waits, without waiting for its turn. */
  flush(): void {
    this.tellEvery(0)
    this.release(this.#matched)
    if (this.#state === 'behind') this.pump()
  }

  /**
   * Tells the client how far it has got, if it keeps a position and the log has moved on; instead of a ping, so that a
   * client to which little is addressed resumes from near the head. @returns whether it told it anything.
   */
  tellPosition(): boolean {
    if (!this.#keepsPosition || !this.#isStarted || this.#state !== 'live' || this.#toldOffset === this.#log.head)
      return false
    // Live: nothing between its cursor and the head was for it.
    this.#cursor = this.#log.head
    this.#tellState({})
    return true
  }

  /** @param isLasting whether the client's next connection is under it too */
  join(key: AudienceKey, since: number, isLasting: boolean): void {
    if (this.#state === 'closed' || this.memberships.some((membership) => membership.key === key)) return
    const membership = { key, since, isLasting }
    // Most are under one key only, and a list that grew to one has room for seventeen.
    if (this.memberships.length === 0) this.memberships = [membership]
    else this.memberships.push(membership)
    key.connections.add(this)
  }

  leave(key: AudienceKey): void {
    const index = this.memberships.findIndex((membership) => membership.key === key)
    if (index === -1) return
    this.memberships.splice(index, 1)
    key.connections.delete(this)
    // Nobody would tell it any more that what waits for it under the key is due.
    if (this.#state === 'waiting') this.release(this.#matched)
  }

  /**
   * What came since the cursor can't be had any more. In another epoch offsets from before mean nothing.
   * States the gap to a client that keeps its position; closes one that could not know of it.
   */
  lose(reason: LossReason): void {
    if (this.#state === 'closed') return
    if (reason === 'epoch-changed') {
      this.#matched = 0
      this.#due = 0
      for (const [index, membership] of this.memberships.entries())
        this.memberships[index] = { ...membership, since: 0 }
    }
    if (!this.#keepsPosition) {
      this.#end(
        new ChannelError('history_lost', `What this connection had not read is gone (${reason}); connect again.`),
      )
      return
    }
    this.#endWait()
    this.#ahead = undefined
    this.#isCatchingUp = false
    this.#cursor = this.#log.head
    this.#state = 'live'
    this.#tellState({ recovered: false, reason })
  }

  close(): void {
    this.#endWait()
    this.#state = 'closed'
  }

  /** Whether what is due has to wait for the end of the interval, at which it is told. */
  #holdsBack(): boolean {
    const pace = this.#pace
    if (!pace) return false
    const waitMs = pace.toldAt + pace.intervalMs - this.#log.now()
    if (waitMs <= 0 || !(pace.timer || this.#log.holdBack(this.#cursor, this))) {
      this.#endWait()
      pace.toldAt = this.#log.now()
      this.#isCatchingUp = true
      return false
    }
    pace.timer ??= this.#log.after(waitMs, () => {
      this.#endWait()
      if (this.#state === 'waiting' && !this.#holdsBack()) this.#readOn()
    })
    return true
  }

  /** To be called while the cursor is where the wait began. */
  #endWait(): void {
    if (!this.#pace?.timer) return
    this.#pace.timer.stop()
    this.#pace.timer = undefined
    this.#log.letGo(this.#cursor, this)
  }

  #catchUp(): void {
    this.#isCatchingUp = true
    this.#readOn()
  }

  #readOn(): void {
    this.#state = 'behind'
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
      this.lose('history-trimmed')
      return
    }
    this.#ahead ??= new ReadAhead(this)
    this.#ahead.add(read.entries)
    this.#cursor = read.entries.at(-1)?.offset ?? Math.max(this.#cursor, this.#log.start)
    this.#readOn()
  }

  /** The connection can have been closed while it read, or the log's epoch have changed. */
  #isOver(readNumber: number): boolean {
    return this.#state !== 'reading' || this.#readNumber !== readNumber
  }

  /** Whether nothing is missed where the log is gone from one offset to another: the tail begins there or later. */
  #isOnlyReplaced(after: number, trimmedTo: number): boolean {
    return trimmedTo <= this.#log.start && this.#hasTailAllAfter(after)
  }

  /** Whether what the tail lost after the offset was for others, or is replaced by what the tail has. */
  #hasTailAllAfter(offset: number): boolean {
    return this.memberships.every(({ key }) => key.lostTo <= offset)
  }

  /** Whether to write what was read of the store before more is read: what comes may replace entries with keys. */
  #hasEnough(): boolean {
    return this.#ahead !== undefined && (!this.#ahead.hasKeys || this.#ahead.bytes >= this.#log.chunkBytesMax)
  }

  #writeAhead({ entries }: ReadAhead): void {
    this.#ahead = undefined
    const { epoch } = this.#log
    const now = this.#log.now()
    const replacements = new Replacements(this, this.#due)
    const frames: Buffer[] = []
    for (const entry of entries) {
      if (entry.expiresAt !== undefined && entry.expiresAt <= now) continue
      if (entry.key === undefined || replacements.of(entry) === 0) frames.push(encodeEntry(entry, epoch, this.codec))
    }
    if (frames.length > 0) this.#outlet.write(new Chunk(Buffer.concat(frames), frames.length))
  }

  /** All that is due is written. */
  #arrive(): void {
    this.#isCatchingUp = false
    if (this.#matched > this.#cursor) this.#state = 'waiting'
    else {
      this.#state = 'live'
      // Nothing between its cursor and the head was for it.
      this.#cursor = this.#log.head
    }
    if (this.#owesState) this.#tellState(this.#recovered === undefined ? {} : { recovered: this.#recovered })
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
