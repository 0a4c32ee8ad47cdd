import {
  type Codec,
  encodeHandshakeResponse,
  type HubMessage,
  jsonCodec,
  MessageType,
  type Position,
  ProtocolError,
} from '@serverchannel/protocol'
import { ChannelError } from '../channel/channel-error.ts'
import { Chunk, toBytes } from '../channel/chunk.ts'
import type { Clock } from '../channel/clock.ts'
import type { CloseCode, Transport } from '../channel/transport.ts'
import type { Identity, Limits } from '../options.ts'
import { ClientReader } from './client-reader.ts'
import { ConnectionTimes } from './connection-times.ts'
import { Handshake, usualHandshake } from './handshake.ts'
import type { Hub, HubSession } from './hub.ts'
import type { CloseMessage, HubPeer, HubRequest } from './hub-peer.ts'
import { CLOSED_WITH_ERROR } from './invocation-errors.ts'
import { MessageIntake, type MessageTaker } from './message-intake.ts'
import { SEQUENCE_TOO_GREAT } from './received-sequence.ts'
import { ResumableTransport } from './resumable-transport.ts'
import { Said } from './said.ts'
import { renewed, type ServedConnection, type ServedConnectionInit } from './served-connection.ts'
import type { TurnMember, TurnWriter } from './turn-writer.ts'

/** Of the handshake: a client that says less does not count (SIGNALR 2.7 K3). */
const STATEFUL_VERSION = 2

/** What all connections of a hub share. */
export interface HubConnectionParts {
  readonly hub: Hub
  /** What the handshake may choose from. */
  readonly codecs: readonly Codec[]
  readonly limits: Limits
  readonly clock: Clock
  readonly turnWriter: TurnWriter
  /** Tells clients what was wrong with what they sent. */
  readonly detailedErrors: boolean
}

/**
 * One client of a hub: the handshake, then hub messages, over whatever transport. `handshake`: waits for the client's
 * first message. `open`: hub messages flow. `closing`: the end was said and its bytes are on their way. `closed`: over.
 */
type HubConnectionState = 'handshake' | 'open' | 'closing' | 'closed'

export class HubConnection implements ServedConnection, HubPeer, MessageTaker, TurnMember {
  readonly id: string
  readonly position: Position | null | undefined
  readonly #init: ServedConnectionInit
  readonly #parts: HubConnectionParts
  readonly #transport: Transport
  /** The same, where it outlives its sockets. */
  readonly #resumable: ResumableTransport | undefined
  #identity: Identity
  #state: HubConnectionState = 'handshake'
  #codec: Codec = jsonCodec
  readonly #opensIn: Codec | undefined
  #handshake: Handshake | undefined
  /** Made with the first message. */
  #intake: MessageIntake | undefined
  #session: HubSession | undefined
  /** Why nothing is read of the client: what it sent is too much for one turn, or its hub has enough. */
  #isIntakeHeld = false
  #isPaused = false
  readonly #times: ConnectionTimes
  /** Something was said since the beat before: when exactly is not worth a look at the clock for each message. */
  #hasSpoken = false
  /** What waits for the end of this turn. */
  #said: Said | undefined
  /** The turn in which something was said last. */
  #turn = -1

  /**
   * @param opensIn opens without a handshake, in this codec: for a client that speaks no SignalR
   * @param transport in place of the init's, which it is around
   */
  constructor(
    init: ServedConnectionInit,
    parts: HubConnectionParts,
    opensIn?: Codec,
    transport: Transport = init.transport,
  ) {
    const { identity, id, position } = init
    this.#init = init
    this.#parts = parts
    this.#resumable = init.isStateful ? new ResumableTransport(transport, parts) : undefined
    this.#transport = this.#resumable ?? transport
    this.#identity = identity
    this.id = id
    this.position = position
    this.#opensIn = opensIn
    this.#times = new ConnectionTimes(this.#transport, parts.clock.now())
  }

  get codec(): Codec {
    return this.#codec
  }

  get owner(): string | undefined {
    return this.#init.owner
  }

  get request(): HubRequest {
    return this.#init.request
  }

  get state(): HubConnectionState {
    return this.#state
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get identity(): Identity {
    return this.#identity
  }

  get bufferedBytes(): number {
    return this.#transport.bufferedBytes + (this.#said?.bytes ?? 0)
  }

  get outstandingBytes(): number {
    return this.#resumable?.outstandingBytes ?? this.#transport.bufferedBytes
  }

  get canResume(): boolean {
    return this.#state === 'open' && this.#resumable?.canResume === true
  }

  resumeOn(transport: Transport): boolean {
    if (!this.canResume) return false
    this.#times.received(this.#parts.clock.now())
    this.#resumable?.resumeOn(transport)
    return true
  }

  start(): void {
    this.#transport.listen(this)
    if (this.#opensIn && this.#state === 'handshake') this.#open(this.#opensIn)
  }

  renew(identity: Identity): void {
    this.#identity = renewed(identity, this.#identity)
  }

  say(chunk: Chunk): void {
    if (this.#state !== 'open') return
    const { turnWriter } = this.#parts
    const turn = turnWriter.begin()
    if (turn !== this.#turn) {
      // A single message waits for nothing.
      this.#turn = turn
      this.write(chunk)
      return
    }
    if (!this.#said) {
      this.#said = new Said()
      turnWriter.add(this)
    }
    this.#said.add(chunk)
    if (this.#said.bytes >= this.#parts.limits.chunkBytesMax) this.flush()
  }

  flush(): void {
    const said = this.#said
    this.#said = undefined
    if (said) this.write(said.joined())
  }

  write(chunk: Chunk): void {
    if (this.#state !== 'open') return
    if (this.#said) this.flush()
    this.#hasSpoken = true
    this.#transport.write(chunk)
  }

  onData(data: string | Buffer): void {
    this.#times.received(this.#parts.clock.now())
    if (this.#state === 'handshake') this.#shakeHands(data)
    else if (this.#state === 'open') this.#take(data)
  }

  onDrain(): void {
    this.#intake?.onDrain()
    this.#session?.onDrain()
  }

  onClose(isLost: boolean): void {
    if (this.#state === 'closed') return
    if (this.#state !== 'closing') {
      this.#leave(
        undefined,
        isLost
          ? new ChannelError('connection_lost', 'The network broke, and the client did not come back.')
          : undefined,
      )
    }
    this.#state = 'closed'
    this.#init.onGone(this)
  }

  close(error: ChannelError): void {
    switch (this.#state) {
      case 'handshake':
        this.#answerHandshake('Handshake was canceled.')
        break
      case 'open':
        this.#session?.onClosing?.()
        this.#sayOwn({ type: MessageType.Close, error: describeClose(error), allowReconnect: error.retry })
        break
      case 'closing':
      case 'closed':
        return
      default:
        this.#state satisfies never
    }
    this.#end(closeCode(error), error)
  }

  end(message: CloseMessage): void {
    if (this.#state !== 'open') return
    this.#sayOwn(message)
    this.#end(1000, undefined)
  }

  callEnded(): void {
    this.#times.received(this.#parts.clock.now())
  }

  pause(): void {
    this.#isPaused = true
    this.#updateReading()
  }

  resume(): void {
    this.#isPaused = false
    this.#updateReading()
  }

  tick(now: number): void {
    const { limits } = this.#parts
    switch (this.#state) {
      case 'handshake':
        if (this.#times.openMs(now) < limits.handshakeTimeoutMs) return
        this.close(new ChannelError('client_timeout', 'The handshake did not come in time.'))
        return
      case 'open':
        this.#tickOpen(now)
        return
      case 'closing':
      case 'closed':
        return
      default:
        this.#state satisfies never
    }
  }

  takeMessage(message: HubMessage): void {
    if (this.#resumable && !this.#resumable.accepts(message)) return
    switch (message.type) {
      case MessageType.Ping:
        this.#times.pinged()
        return
      case MessageType.Close:
        this.#end(1000, undefined)
        return
      case MessageType.Ack:
      case MessageType.Sequence:
        // Of no stateful connection: passed over, as in .NET (SIGNALR 2.8 J4).
        return
      case MessageType.Invocation:
      case MessageType.StreamItem:
      case MessageType.Completion:
      case MessageType.StreamInvocation:
      case MessageType.CancelInvocation:
        this.#session?.onMessage(message)
        return
      default:
        message satisfies never
    }
  }

  intakeFailed(error: unknown): void {
    if (!(error instanceof ProtocolError)) {
      this.#fail(error)
      return
    }
    const code = error.code === 'too-large' ? 'message_too_large' : 'protocol_broken'
    // .NET allows the client to reconnect after a protocol error (SIGNALR 2.8 J3).
    const said = describeProtocolError(error, this.#parts.detailedErrors)
    this.#sayOwn({ type: MessageType.Close, error: said, allowReconnect: true })
    this.#end(1000, new ChannelError(code, error.message, { cause: error }))
  }

  intakeHeld(isHeld: boolean): void {
    this.#isIntakeHeld = isHeld
    this.#updateReading()
  }

  #updateReading(): void {
    if (this.#state === 'open' && (this.#isIntakeHeld || this.#isPaused)) this.#transport.pause()
    else this.#transport.resume()
  }

  #tickOpen(now: number): void {
    const { limits } = this.#parts
    const { expiresAt } = this.#identity
    if (expiresAt !== undefined && now >= expiresAt) {
      this.close(new ChannelError('authentication_expired', 'Authentication expired; connect again with a new token.'))
      return
    }
    // While it is away its own time runs.
    if (this.#resumable?.isAway) return
    this.#resumable?.tick()
    if (this.#times.stalledMs(now) >= limits.stalledReaderMs) {
      this.close(new ChannelError('reader_stalled', `The client took nothing for ${limits.stalledReaderMs} ms.`))
    } else if (this.#transport.hasKeepAlive) this.#keepAlive(now)
  }

  #keepAlive(now: number): void {
    const { clientTimeoutMs, keepAliveIntervalMs } = this.#parts.limits
    if (!this.#session?.isBusy && this.#times.silentMs(now) >= clientTimeoutMs) {
      this.close(new ChannelError('client_timeout', `The client was silent for ${clientTimeoutMs} ms.`))
      return
    }
    const unspokenMs = this.#times.unspokenMs(now, this.#hasSpoken)
    this.#hasSpoken = false
    if (unspokenMs >= keepAliveIntervalMs && !this.#session?.onKeepAlive()) this.#sayOwn({ type: MessageType.Ping })
  }

  #take(data: string | Buffer): void {
    if (!this.#intake) {
      const { receivedMessageBytesMax: messageBytesMax, depthMax } = this.#parts.limits
      this.#intake = new MessageIntake(new ClientReader(this.#codec, { messageBytesMax, depthMax }), this, this.#parts)
    }
    this.#intake.receive(data)
  }

  #shakeHands(data: string | Buffer): void {
    const { codecs, limits, detailedErrors } = this.#parts
    const usual = this.#handshake ? undefined : usualHandshake(data, codecs, this.#transport)
    if (usual) {
      this.#begin(usual, 1)
      return
    }
    this.#handshake ??= new Handshake(codecs, this.#transport, limits.handshakeBytesMax, detailedErrors)
    const outcome = this.#handshake.take(data)
    switch (outcome.state) {
      case 'waiting':
        return
      case 'refused':
        this.#answerHandshake(outcome.answer)
        this.#end(1000, new ChannelError('protocol_broken', outcome.answer))
        return
      case 'done':
        this.#begin(outcome.codec, outcome.version)
        if (outcome.rest.length > 0 && this.#state === 'open') this.#take(outcome.rest)
        return
      default:
        outcome satisfies never
    }
  }

  #begin(codec: Codec, version: number): void {
    this.#transport.useFormat(codec.transferFormat)
    this.#transport.write(HANDSHAKE_DONE[codec.transferFormat])
    if (version >= STATEFUL_VERSION) this.#resumable?.begin(codec)
    this.#open(codec)
  }

  #answerHandshake(error: string): void {
    this.#transport.write(createHandshakeAnswer({ error }))
  }

  /** Says something of the connection's own: of the types that a client which can resume does not count. */
  #sayOwn(message: Extract<HubMessage, { readonly type: 6 | 7 }>): void {
    this.write(new Chunk(toBytes(this.#codec.encode(message)), 0))
  }

  #open(codec: Codec): void {
    this.#handshake = undefined
    this.#codec = codec
    this.#state = 'open'
    this.#hasSpoken = true
    try {
      this.#session = this.#parts.hub.onConnected(this)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** What the hub fails in ends the connection that it was for, and no other: a client must not be able to end the process. */
  #fail(cause: unknown): void {
    this.close(new ChannelError('internal', 'Something went wrong inside the server; its log says what.', { cause }))
  }

  #end(code: CloseCode, error: ChannelError | undefined): void {
    this.#leave(error, error)
    this.#state = 'closing'
    this.#transport.resume()
    this.#transport.close(code)
  }

  /** @param reason what the hub is told, which the log need not be: a network that broke is nothing to look into */
  #leave(error: ChannelError | undefined, reason: ChannelError | undefined): void {
    this.#intake?.stop()
    const session = this.#session
    this.#session = undefined
    session?.onDisconnected(reason)
    this.#init.onEnd(this, error)
  }
}

function createHandshakeAnswer(answer: { readonly error?: string }): Chunk {
  return new Chunk(toBytes(encodeHandshakeResponse(answer)), 0)
}

/** Shared by all connections of a format: a chunk keeps the frame that was made of it. */
const HANDSHAKE_DONE = { Text: createHandshakeAnswer({}), Binary: createHandshakeAnswer({}) } as const

/** Without details .NET's server says only that it was one, but for this. */
function describeProtocolError({ message }: ProtocolError, isDetailed: boolean): string {
  if (message === SEQUENCE_TOO_GREAT) return message
  return isDetailed ? `${CLOSED_WITH_ERROR} InvalidDataException: ${message}` : CLOSED_WITH_ERROR
}

/** A timeout is said in .NET's words; what .NET has no words for begins with the error's code. */
function describeClose(error: ChannelError): string {
  return error.code === 'client_timeout' ? CLOSED_WITH_ERROR : `${error.code}: ${error.message}`
}

function closeCode(error: ChannelError): CloseCode {
  if (error.code === 'internal' || error.code === 'store_failed') return 1011
  return 1000
}
