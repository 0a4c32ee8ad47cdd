import { StringDecoder } from 'node:string_decoder'
import {
  type Codec,
  type CodecReader,
  encodeHandshakeResponse,
  type HubMessage,
  jsonCodec,
  MessageType,
  type Position,
  ProtocolError,
  parseHandshakeRequest,
  splitHandshake,
} from '@serverchannel/protocol'
import { ChannelError } from '../channel/channel-error.ts'
import { Chunk } from '../channel/chunk.ts'
import type { Clock } from '../channel/clock.ts'
import type { Outlet } from '../channel/connection.ts'
import type { CloseCode, Transport, TransportListener } from '../channel/transport.ts'
import type { Identity, Limits } from '../options.ts'

/** What a hub does with its connections. */
export interface Hub {
  /** The handshake is done. Returns who is to be told when the connection can take more, and when it is gone. */
  onConnected(connection: HubConnection): HubSession
}

export interface HubSession {
  onDrain(): void
  /** Nothing was sent for the keep-alive interval: says something, or returns false for a ping. */
  onKeepAlive(): boolean
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
  readonly limits: Limits
  readonly clock: Clock
  /** Told why it ends, once; undefined where the client left. */
  readonly onEnd: (connection: HubConnection, error: ChannelError | undefined) => void
  /** Told once, when its transport is gone too. */
  readonly onGone: (connection: HubConnection) => void
}

const PROTOCOL_VERSION_MAX = 2
const PING = new Chunk(Buffer.from(jsonCodec.encode({ type: MessageType.Ping })))

/**
 * One client of a hub: the handshake, then hub messages, over whatever transport. `handshake`: waits for the client's
 * first message. `open`: hub messages flow. `closing`: the end was said and its bytes are on their way. `closed`: over.
 */
type HubConnectionState = 'handshake' | 'open' | 'closing' | 'closed'

export class HubConnection implements TransportListener, Outlet {
  readonly id: string
  readonly identity: Identity
  readonly position: Position | null | undefined
  readonly #init: HubConnectionInit
  readonly #transport: Transport
  #state: HubConnectionState = 'handshake'
  #codec: Codec = jsonCodec
  #reader: CodecReader<string> | undefined
  #session: HubSession | undefined
  /** What came of the handshake so far. */
  #received = ''
  /** Made when a text codec's bytes come in binary frames, which may cut characters. */
  #decoder: StringDecoder | undefined
  /** Messages of the last data that were more than one turn takes. */
  #backlog: Generator<HubMessage, void, undefined> | undefined
  /** Whether the backlog waits for the client to take its answers. */
  #isHeld = false
  #waiting: string[] = []
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
    this.id = init.id
    this.identity = init.identity
    this.position = init.position
    this.#openedAt = this.#sentAt = this.#receivedAt = this.#progressAt = init.clock.now()
  }

  get codec(): Codec {
    return this.#codec
  }

  get state(): HubConnectionState {
    return this.#state
  }

  get bufferedBytes(): number {
    return this.#transport.bufferedBytes
  }

  write(chunk: Chunk): void {
    if (this.#state !== 'open') return
    this.#sentAt = this.#init.clock.now()
    this.#transport.write(chunk)
  }

  onData(data: string | Buffer): void {
    if (this.#state !== 'handshake' && this.#state !== 'open') return
    this.#receivedAt = this.#init.clock.now()
    const received = typeof data === 'string' ? data : this.#decode(data)
    if (this.#state === 'handshake') this.#receiveHandshake(received)
    else if (this.#backlog) this.#waiting.push(received)
    else this.#receive(received)
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
        this.#transport.write(text(encodeHandshakeResponse({ error: 'Handshake was canceled.' })))
        break
      case 'open':
        this.#say({ type: MessageType.Close, error: describeClose(error), allowReconnect: error.retry })
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
      if (now - this.#openedAt >= limits.handshakeTimeoutMs) {
        this.close(new ChannelError('client_timeout', 'The handshake did not come in time.'))
      }
      return
    }
    if (this.#state !== 'open') return
    const { expiresAt } = this.identity
    if (expiresAt !== undefined && now >= expiresAt) {
      this.close(new ChannelError('authentication_expired', 'Authentication expired; connect again with a new token.'))
    } else if (this.#hasPinged && now - this.#receivedAt >= limits.clientTimeoutMs) {
      this.close(new ChannelError('client_timeout', `The client was silent for ${limits.clientTimeoutMs} ms.`))
    } else if (this.#isStalled(now)) {
      this.close(new ChannelError('reader_stalled', `The client took nothing for ${limits.stalledReaderMs} ms.`))
    } else if (now - this.#sentAt >= limits.keepAliveIntervalMs && !this.#session?.onKeepAlive()) this.write(PING)
  }

  #receiveHandshake(data: string): void {
    this.#received += data
    const split = splitHandshake(this.#received)
    const length = split ? split.record.length : this.#received.length
    if (length > this.#init.limits.handshakeBytesMax) {
      this.#refuseHandshake('Handshake was canceled.', 'The handshake is too large.')
      return
    }
    if (!split) return
    this.#received = ''
    const refusal = this.#acceptHandshake(split.record)
    if (refusal !== undefined) {
      this.#refuseHandshake(refusal, refusal)
      return
    }
    this.#state = 'open'
    this.#say({ handshake: {} })
    this.#reader = (this.#codec as Codec<string>).createReader({
      messageBytesMax: this.#init.limits.receivedMessageBytesMax,
      depthMax: this.#init.limits.depthMax,
    })
    this.#session = this.#init.hub.onConnected(this)
    if (split.rest !== '') this.#receive(split.rest)
  }

  /** @returns why the handshake is refused, in the words of .NET's server (SIGNALR 2.7 K2); undefined if it is not */
  #acceptHandshake(record: string): string | undefined {
    try {
      const { protocol, version } = parseHandshakeRequest(record)
      if (protocol.toLowerCase() !== jsonCodec.name) return `The protocol '${protocol.slice(0, 64)}' is not supported.`
      if (version > PROTOCOL_VERSION_MAX || version < 0) {
        return `The server does not support version ${version} of the '${jsonCodec.name}' protocol.`
      }
      return undefined
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return 'An unexpected error occurred during connection handshake.'
    }
  }

  #refuseHandshake(answer: string, reason: string): void {
    this.#transport.write(text(encodeHandshakeResponse({ error: answer })))
    this.#end(1000, new ChannelError('protocol_broken', reason))
  }

  #receive(data: string): void {
    if (this.#reader) this.#process(this.#reader.read(data))
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
      if (!(error instanceof ProtocolError)) throw error
      const code = error.code === 'too-large' ? 'message_too_large' : 'protocol_broken'
      // .NET allows the client to reconnect after a protocol error (SIGNALR 2.8 J3).
      this.#say({ type: MessageType.Close, error: CLOSED_WITH_ERROR, allowReconnect: true })
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
      case MessageType.Invocation:
      case MessageType.StreamInvocation:
        if (!message.invocationId) return
        this.#say({
          type: MessageType.Completion,
          invocationId: message.invocationId,
          error: `Failed to invoke '${message.target}' due to an error on the server. HubException: Method does not exist.`,
        })
        return
      case MessageType.StreamItem:
      case MessageType.Completion:
      case MessageType.CancelInvocation:
      case MessageType.Ack:
      case MessageType.Sequence:
        // Of no stream, call or stateful connection that we know: passed over, as in .NET (SIGNALR 2.8 J4).
        return
      default:
        message satisfies never
    }
  }

  #say(message: HubMessage | { readonly handshake: Record<string, never> }): void {
    if ('handshake' in message) this.write(text(encodeHandshakeResponse(message.handshake)))
    else this.write(text(this.#codec.encode(message) as string))
  }

  #decode(data: Buffer): string {
    this.#decoder ??= new StringDecoder('utf8')
    return this.#decoder.write(data)
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
  if (error.code === 'server_shutdown') return 1001
  if (error.code === 'internal' || error.code === 'store_failed') return 1011
  return 1000
}

function text(data: string): Chunk {
  return new Chunk(Buffer.from(data))
}
