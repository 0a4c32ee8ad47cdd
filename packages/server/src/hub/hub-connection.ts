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
import type { Outlet } from '../channel/connection.ts'
import type { CloseCode, Transport, TransportListener } from '../channel/transport.ts'
import type { Identity, Limits } from '../options.ts'
import { ClientReader } from './client-reader.ts'
import { Handshake } from './handshake.ts'

/** Hub messages that are a hub's own business, as opposed to the connection's. */
export type CallMessage = Extract<HubMessage, { readonly type: 1 | 2 | 3 | 4 | 5 }>

/** What a hub does with its connections. */
export interface Hub {
  /** The handshake is done. Returns who is to be told when the connection can take more, and when it is gone. */
  onConnected(connection: HubConnection): HubSession
}

export interface HubSession {
  /** The client calls, answers, streams or cancels: a message of type 1 to 5. */
  onMessage(message: CallMessage): void
  onDrain(): void
  /** Nothing was sent for the keep-alive interval: says something, or returns false for a ping. */
  onKeepAlive(): boolean
  /** Whether a call of the client is under way: then its silence is no timeout (SIGNALR 2.10 C1). */
  readonly isBusy: boolean
  /** The server is about to end the connection: what is ready to be said is said before. Left out where nothing waits. */
  onClosing?(): void
  onDisconnected(): void
}

export interface HubConnectionInit {
  /** Public id. */
  readonly id: string
  readonly identity: Identity
  /** Where the client left off: see ConnectRequest. */
  readonly position: Position | null | undefined
  readonly transport: Transport
  readonly hub: Hub
  /** What the handshake may choose from. */
  readonly codecs: readonly Codec[]
  readonly limits: Limits
  readonly clock: Clock
  /** Told why it ends, once; undefined where the client left. */
  readonly onEnd: (connection: HubConnection, error: ChannelError | undefined) => void
  /** Told once, when its transport is gone too. */
  readonly onGone: (connection: HubConnection) => void
}

/**
 * One client of a hub: the handshake, then hub messages, over whatever transport. `handshake`: waits for the client's
 * first message. `open`: hub messages flow. `closing`: the end was said and its bytes are on their way. `closed`: over.
 */
type HubConnectionState = 'handshake' | 'open' | 'closing' | 'closed'

export class HubConnection implements TransportListener, Outlet {
  readonly id: string
  readonly position: Position | null | undefined
  readonly #init: HubConnectionInit
  readonly #transport: Transport
  #identity: Identity
  #state: HubConnectionState = 'handshake'
  #codec: Codec = jsonCodec
  #handshake: Handshake | undefined
  #reader: ClientReader | undefined
  #session: HubSession | undefined
  /** Messages of the last data that were more than one turn takes. */
  #backlog: Generator<HubMessage, void, undefined> | undefined
  /** Whether the backlog waits for the client to take its answers. */
  #isHeld = false
  #waiting: (string | Buffer)[] = []
  readonly #openedAt: number
  #sentAt: number
  #receivedAt: number
  #hasPinged = false
  /** When the peer was last seen to take something, or had nothing to take. */
  #progressAt: number
  #takenBytes = 0

  constructor(init: HubConnectionInit) {
    this.#init = init
    this.#transport = init.transport
    this.#identity = init.identity
    this.id = init.id
    this.position = init.position
    this.#openedAt = this.#sentAt = this.#receivedAt = this.#progressAt = init.clock.now()
  }

  get codec(): Codec {
    return this.#codec
  }

  get state(): HubConnectionState {
    return this.#state
  }

  get identity(): Identity {
    return this.#identity
  }

  get bufferedBytes(): number {
    return this.#transport.bufferedBytes
  }

  /** A client that shows who it is with each of its requests may show a newer proof of the same (SIGNALR L4). */
  renew(identity: Identity): void {
    this.#identity = { ...identity, ...(this.#identity.user === undefined ? {} : { user: this.#identity.user }) }
  }

  write(chunk: Chunk): void {
    if (this.#state !== 'open') return
    this.#sentAt = this.#init.clock.now()
    this.#transport.write(chunk)
  }

  /** Says something to the client. What is said after the end is dropped. */
  send(message: HubMessage): void {
    this.write(new Chunk(toBytes(this.#codec.encode(message))))
  }

  /** Opens it without a handshake, in this codec: for a client that only listens. */
  openAs(codec: Codec): void {
    if (this.#state === 'handshake') this.#open(codec)
  }

  onData(data: string | Buffer): void {
    this.#receivedAt = this.#init.clock.now()
    if (this.#state === 'handshake') this.#shakeHands(data)
    else if (this.#state === 'open') this.#receive(data)
  }

  onDrain(): void {
    if (this.#backlog && this.#isHeld) this.#continue()
    this.#session?.onDrain()
  }

  onClose(): void {
    if (this.#state === 'closed') return
    if (this.#state !== 'closing') this.#leave(undefined)
    this.#state = 'closed'
    this.#init.onGone(this)
  }

  /** Ends the connection and says why; the client comes back by itself where the error's kind allows that. */
  close(error: ChannelError): void {
    switch (this.#state) {
      case 'handshake':
        this.#answerHandshake('Handshake was canceled.')
        break
      case 'open':
        this.#session?.onClosing?.()
        this.send({ type: MessageType.Close, error: describeClose(error), allowReconnect: error.retry })
        break
      case 'closing':
      case 'closed':
        return
      default:
        this.#state satisfies never
    }
    this.#end(closeCode(error), error)
  }

  /** To be called about once a second: what time has brought. */
  tick(now: number): void {
    const { limits } = this.#init
    if (this.#state === 'handshake') {
      if (now - this.#openedAt < limits.handshakeTimeoutMs) return
      this.close(new ChannelError('client_timeout', 'The handshake did not come in time.'))
      return
    }
    if (this.#state !== 'open') return
    const { expiresAt } = this.#identity
    if (expiresAt !== undefined && now >= expiresAt) {
      this.close(new ChannelError('authentication_expired', 'Authentication expired; connect again with a new token.'))
    } else if (this.#isStalled(now)) {
      this.close(new ChannelError('reader_stalled', `The client took nothing for ${limits.stalledReaderMs} ms.`))
    } else if (this.#transport.hasKeepAlive) this.#keepAlive(now)
  }

  #keepAlive(now: number): void {
    const { clientTimeoutMs, keepAliveIntervalMs } = this.#init.limits
    if (this.#hasPinged && !this.#session?.isBusy && now - this.#receivedAt >= clientTimeoutMs) {
      this.close(new ChannelError('client_timeout', `The client was silent for ${clientTimeoutMs} ms.`))
    } else if (now - this.#sentAt >= keepAliveIntervalMs && !this.#session?.onKeepAlive()) {
      this.send({ type: MessageType.Ping })
    }
  }

  #shakeHands(data: string | Buffer): void {
    const { codecs, limits } = this.#init
    this.#handshake ??= new Handshake(codecs, this.#transport, limits.handshakeBytesMax)
    const outcome = this.#handshake.take(data)
    switch (outcome.state) {
      case 'waiting':
        return
      case 'refused':
        this.#answerHandshake(outcome.answer)
        this.#end(1000, new ChannelError('protocol_broken', outcome.answer))
        return
      case 'done':
        this.#transport.useFormat(outcome.codec.transferFormat)
        this.#answerHandshake()
        this.#open(outcome.codec)
        if (outcome.rest.length > 0) this.#receive(outcome.rest)
        return
      default:
        outcome satisfies never
    }
  }

  #answerHandshake(error?: string): void {
    this.#transport.write(new Chunk(toBytes(encodeHandshakeResponse(error === undefined ? {} : { error }))))
  }

  #open(codec: Codec): void {
    const { receivedMessageBytesMax: messageBytesMax, depthMax } = this.#init.limits
    this.#handshake = undefined
    this.#codec = codec
    this.#state = 'open'
    this.#sentAt = this.#init.clock.now()
    this.#reader = new ClientReader(codec, { messageBytesMax, depthMax })
    try {
      this.#session = this.#init.hub.onConnected(this)
    } catch (error) {
      this.#fail(error)
    }
  }

  #receive(data: string | Buffer): void {
    if (this.#backlog) this.#waiting.push(data)
    else if (this.#reader) this.#process(this.#reader.read(data))
  }

  /**
   * Handles messages until there are no more, until the turn's share is done (then the rest waits for the next), or
   * until the client doesn't take its answers (then the rest waits until it does).
   */
  #process(messages: Generator<HubMessage, void, undefined>): void {
    const { receivedMessagesPerTurn, highWaterMarkBytes } = this.#init.limits
    let left = receivedMessagesPerTurn
    try {
      while (this.#state === 'open') {
        if (left-- === 0 || this.#transport.bufferedBytes >= highWaterMarkBytes) {
          this.#hold(messages)
          return
        }
        const next = messages.next()
        if (next.done) break
        this.#handle(next.value)
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) {
        this.#fail(error)
        return
      }
      const code = error.code === 'too-large' ? 'message_too_large' : 'protocol_broken'
      // .NET allows the client to reconnect after a protocol error (SIGNALR 2.8 J3).
      this.send({ type: MessageType.Close, error: CLOSED_WITH_ERROR, allowReconnect: true })
      this.#end(1000, new ChannelError(code, error.message, { cause: error }))
    }
  }

  /** Takes nothing more from the client until the rest of what it sent is handled. */
  #hold(messages: Generator<HubMessage, void, undefined>): void {
    this.#backlog = messages
    this.#isHeld = this.#transport.bufferedBytes >= this.#init.limits.highWaterMarkBytes
    this.#transport.pause()
    if (!this.#isHeld) this.#init.clock.soon(() => this.#continue())
  }

  #continue(): void {
    const messages = this.#backlog
    this.#backlog = undefined
    this.#isHeld = false
    if (messages) this.#process(messages)
    while (!this.#backlog && this.#waiting.length > 0) this.#receive(this.#waiting.shift() ?? '')
    if (!this.#backlog) this.#transport.resume()
  }

  #handle(message: HubMessage): void {
    switch (message.type) {
      case MessageType.Ping:
        this.#hasPinged = true
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

  /** What the hub fails in ends the connection that it was for, and no other: a client must not be able to end the process. */
  #fail(cause: unknown): void {
    this.close(new ChannelError('internal', 'Something went wrong inside the server; its log says what.', { cause }))
  }

  #isStalled(now: number): boolean {
    const { bufferedBytes, takenBytes } = this.#transport
    if (bufferedBytes === 0 || takenBytes !== this.#takenBytes) this.#progressAt = now
    this.#takenBytes = takenBytes
    return now - this.#progressAt >= this.#init.limits.stalledReaderMs
  }

  #end(code: CloseCode, error: ChannelError | undefined): void {
    this.#leave(error)
    this.#state = 'closing'
    this.#transport.resume()
    this.#transport.close(code)
  }

  #leave(error: ChannelError | undefined): void {
    this.#waiting = []
    this.#backlog = undefined
    const session = this.#session
    this.#session = undefined
    session?.onDisconnected()
    this.#init.onEnd(this, error)
  }
}

const CLOSED_WITH_ERROR = 'Connection closed with an error.'

/** A timeout is said in .NET's words; what .NET has no words for begins with the error's code. */
function describeClose(error: ChannelError): string {
  return error.code === 'client_timeout' ? CLOSED_WITH_ERROR : `${error.code}: ${error.message}`
}

function closeCode(error: ChannelError): CloseCode {
  if (error.code === 'internal' || error.code === 'store_failed') return 1011
  return 1000
}
