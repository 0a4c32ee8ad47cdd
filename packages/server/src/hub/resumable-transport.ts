import { type Codec, type HubMessage, MessageType } from '@serverchannel/protocol'
import { Chunk, toBytes } from '../channel/chunk.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { CloseCode, Transport, TransportListener } from '../channel/transport.ts'
import type { Limits } from '../options.ts'
import { ReceivedSequence } from './received-sequence.ts'
import { ReplayBuffer } from './replay-buffer.ts'

export interface ResumableParts {
  readonly limits: Pick<Limits, 'statefulBufferBytes' | 'disconnectTimeoutMs' | 'highWaterMarkBytes' | 'heldBytesMax'>
  readonly clock: Clock
}

/**
 * `plain`: nothing is counted, before the handshake and where that declined. `holding`: the handshake was answered, and
 * what counts waits until the client has surely seen that. `flowing`: all is well. `away`: the network broke and the
 * client has some time to come back. `ended`: nothing follows.
 */
type ResumableState = 'plain' | 'holding' | 'flowing' | 'away' | 'ended'

/**
 * Clients that don't ping at once after the handshake get what waits after this. What comes together with the
 * handshake's answer is not counted by `@microsoft/signalr`, and would come twice after a drop (SIGNALR 0.2).
 */
const HOLD_MS = 500

/**
 * A connection's transport that outlives its sockets: what counts is numbered and kept until the client acknowledges it,
 * and said again on the next socket. Source: SIGNALR 2.11 R1 to R3, 0.2 to 0.4.
 *
 * It never makes anybody wait. The channel's messages stay in the log while too much is unacknowledged; of what is sent
 * past the log the newest is kept, and a client that comes back for what is not there any more has to begin anew.
 */
export class ResumableTransport implements Transport {
  readonly name: Transport['name']
  readonly transferFormats: Transport['transferFormats']
  readonly hasKeepAlive: boolean
  readonly #parts: ResumableParts
  readonly #sent: ReplayBuffer
  readonly #received = new ReceivedSequence()
  #inner: Transport
  #codec: Codec | undefined
  #listener: TransportListener | undefined
  #state: ResumableState = 'plain'
  #isPaused = false
  /** Taken on the sockets before this one. */
  #takenBefore = 0
  #timer: Timer | undefined

  constructor(inner: Transport, parts: ResumableParts) {
    this.name = inner.name
    this.transferFormats = inner.transferFormats
    this.hasKeepAlive = inner.hasKeepAlive
    this.#inner = inner
    this.#parts = parts
    this.#sent = new ReplayBuffer(parts.limits.statefulBufferBytes)
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
    this.#listenTo(this.#inner)
  }

  /** Whether a socket that comes now would be taken. */
  get canResume(): boolean {
    return this.#state !== 'plain' && this.#state !== 'ended' && this.#sent.isComplete
  }

  get isAway(): boolean {
    return this.#state === 'away'
  }

  get bufferedBytes(): number {
    // Full enough that nothing which could wait is written, and not so full that the client counts as stalled.
    if (this.#state === 'away' || this.#state === 'holding') return this.#fullBytes
    return this.#inner.bufferedBytes
  }

  /** The same for those who can wait without harm: full, too, while much is unacknowledged. */
  get outstandingBytes(): number {
    return this.#sent.isHalfFull ? this.#fullBytes : this.bufferedBytes
  }

  get takenBytes(): number {
    return this.#takenBefore + this.#inner.takenBytes
  }

  useFormat(format: 'Text' | 'Binary'): void {
    this.#inner.useFormat(format)
  }

  /** The handshake is done, and client and server count from here. */
  begin(codec: Codec): void {
    this.#codec = codec
    this.#state = 'holding'
    this.#timer = this.#parts.clock.after(HOLD_MS, () => this.#release())
  }

  write(chunk: Chunk): void {
    switch (this.#state) {
      case 'plain':
        this.#inner.write(chunk)
        return
      case 'holding':
        if (chunk.countedMessages > 0 && this.#sent.hasRoomFor(chunk)) this.#sent.add(chunk)
        else {
          // Pings and the end are in nobody's count, and come after what waits; and nothing that waits may be lost.
          this.#release(chunk)
        }
        return
      case 'flowing':
        this.#writeNow(chunk)
        return
      case 'away':
        if (chunk.countedMessages > 0) this.#keep(chunk)
        return
      case 'ended':
        return
      default:
        this.#state satisfies never
    }
  }

  /** Whether the hub is to get the message; what only keeps the count ends here. @throws ProtocolError */
  accepts(message: HubMessage): boolean {
    if (this.#state === 'plain') return true
    if (message.type !== MessageType.Ack) return this.#received.accepts(message)
    if (this.#received.awaitsSequence) return false
    const wasFull = this.#sent.isHalfFull
    this.#sent.acknowledge(message.sequenceId)
    if (wasFull && !this.#sent.isHalfFull) this.#listener?.onDrain()
    return false
  }

  /** To be called about once a second: acknowledges what came. */
  tick(): void {
    const sequenceId = this.#state === 'flowing' ? this.#received.takeDueAck() : undefined
    if (sequenceId !== undefined) this.#say({ type: MessageType.Ack, sequenceId })
  }

  /** Goes on with another socket; one that is still there is given up at once. To be called where `canResume`. */
  resumeOn(inner: Transport): void {
    const old = this.#inner
    this.#timer?.stop()
    this.#takenBefore += old.takenBytes
    this.#inner = inner
    old.abort()
    this.#state = 'flowing'
    this.#received.awaitSequence()
    this.#listenTo(inner)
    if (this.#codec) inner.useFormat(this.#codec.transferFormat)
    if (this.#isPaused) inner.pause()
    this.#say({ type: MessageType.Sequence, sequenceId: this.#sent.firstId })
    for (const chunk of this.#sent.chunks()) inner.write(chunk)
    this.#listener?.onDrain()
  }

  close(code: CloseCode): void {
    if (this.#state === 'ended') return
    const wasAway = this.#state === 'away'
    this.#timer?.stop()
    this.#state = 'ended'
    if (wasAway) this.#parts.clock.soon(() => this.#tellEnd(false))
    else this.#inner.close(code)
  }

  abort(): void {
    const wasAway = this.#state === 'away'
    this.#timer?.stop()
    this.#state = 'ended'
    if (wasAway) this.#parts.clock.soon(() => this.#tellEnd(false))
    else this.#inner.abort()
  }

  pause(): void {
    this.#isPaused = true
    this.#inner.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#inner.resume()
  }

  get #fullBytes(): number {
    const { highWaterMarkBytes, heldBytesMax } = this.#parts.limits
    return Math.min(highWaterMarkBytes, heldBytesMax)
  }

  #listenTo(inner: Transport): void {
    inner.listen({
      onData: (data) => {
        if (inner !== this.#inner) return
        this.#release()
        this.#listener?.onData(data)
      },
      onDrain: () => {
        if (inner === this.#inner) this.#listener?.onDrain()
      },
      onClose: (isLost) => {
        if (inner === this.#inner) this.#innerClosed(isLost)
      },
    })
  }

  #innerClosed(isLost: boolean): void {
    const canComeBack = isLost && (this.#state === 'holding' || this.#state === 'flowing') && this.#sent.isComplete
    this.#timer?.stop()
    if (canComeBack) {
      this.#state = 'away'
      this.#timer = this.#parts.clock.after(this.#parts.limits.disconnectTimeoutMs, () => this.#giveUp())
    } else {
      this.#state = 'ended'
      this.#tellEnd(isLost)
    }
  }

  #writeNow(chunk: Chunk): void {
    if (chunk.countedMessages > 0) this.#sent.add(chunk)
    this.#inner.write(chunk)
  }

  /** Keeps what can't be written now. Where it is too much the client can't be given all of it: it has to begin anew. */
  #keep(chunk: Chunk): void {
    this.#sent.add(chunk)
    // Whoever writes is in the middle of something, which the end must not come into.
    if (!this.#sent.isComplete) this.#parts.clock.soon(() => this.#giveUp())
  }

  /** @param next comes right after what waited, before anything that is written because there is room now */
  #release(next?: Chunk): void {
    if (this.#state !== 'holding') return
    this.#timer?.stop()
    this.#state = 'flowing'
    for (const chunk of this.#sent.chunks()) this.#inner.write(chunk)
    if (next) this.#writeNow(next)
    this.#listener?.onDrain()
  }

  #giveUp(): void {
    if (this.#state !== 'away') return
    this.#timer?.stop()
    this.#state = 'ended'
    this.#tellEnd(true)
  }

  #say(message: HubMessage): void {
    if (this.#codec) this.#inner.write(new Chunk(toBytes(this.#codec.encode(message)), 0))
  }

  #tellEnd(isLost: boolean): void {
    const listener = this.#listener
    this.#listener = undefined
    listener?.onClose(isLost)
  }
}
