import { encodeHandshakeRequest, MessageType, RECORD_SEPARATOR } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { Timer } from './environment.ts'
import type { Settings } from './options.ts'
import { type HubRecord, RecordReader } from './record-reader.ts'
import { openSocket, type Socket } from './socket.ts'

export interface SessionListener {
  onHandshake(): void
  /** Of a target and arguments that nobody has looked at yet. */
  onInvocation(target: unknown, args: unknown): void
  /** Of a call that nobody has looked for yet. */
  onCompletion(record: HubRecord): void
  /** Comes once, and nothing after it. Final: the server wants no other attempt. */
  onEnd(error: ChannelError, isFinal: boolean): void
}

const CLOSE_TIMEOUT_MS = 1_000
/** What a SignalR server says when it stops waiting or goes down: no refusal. Source: SIGNALR 2.7, K2. */
const HANDSHAKE_CANCELED = 'Handshake was canceled.'
const PING = `{"type":${MessageType.Ping}}${RECORD_SEPARATOR}`
const CLOSE = `{"type":${MessageType.Close}}${RECORD_SEPARATOR}`

type Phase = 'opening' | 'handshaking' | 'running' | 'ended'
type Happening = 'opened' | 'text' | 'binary' | 'closed' | 'timer'

/** One socket's life as a SignalR connection, from its opening to its end. Source: SIGNALR 2.7, 2.8, 2.10. */
export class Session {
  readonly #settings: Settings
  readonly #listener: SessionListener
  readonly #socket: Socket
  readonly #reader: RecordReader = new RecordReader()
  #phase: Phase = 'opening'
  #receivedAt = 0
  #sentAt = 0
  #timer: Timer

  /** @throws what the WebSocket constructor throws. */
  constructor(url: string, settings: Settings, listener: SessionListener) {
    this.#settings = settings
    this.#listener = listener
    this.#socket = openSocket(settings.WebSocket, url, {
      onOpen: () => this.#step('opened'),
      onText: (text) => this.#step('text', text),
      onBinary: () => this.#step('binary'),
      onClose: (reason) => this.#step('closed', reason),
    })
    this.#timer = settings.environment.after(settings.handshakeTimeoutMs, () => this.#step('timer'))
  }

  /** Ends it, politely, without a call of `onEnd`. Resolves when the socket is gone, or when waiting is of no more use. */
  async close(): Promise<void> {
    if (this.#phase === 'running') this.#socket.send(CLOSE)
    this.#phase = 'ended'
    this.#timer.stop()
    const tooLong = new Promise<void>((resolve) => {
      this.#timer = this.#settings.environment.after(CLOSE_TIMEOUT_MS, resolve)
    })
    await Promise.race([this.#socket.close(), tooLong])
    this.#timer.stop()
  }

  /** Returns false where there is no connection to send it on. */
  send(text: string): boolean {
    if (this.#phase !== 'running') return false
    this.#socket.send(text)
    return true
  }

  /** Looks at the clock now: timers stand still while a page is frozen or the machine sleeps. */
  check(): void {
    if (this.#phase === 'running') this.#watch()
  }

  #step(happening: Happening, detail = ''): void {
    const step = `${this.#phase} ${happening}` as const
    switch (step) {
      case 'opening opened':
        this.#phase = 'handshaking'
        this.#socket.send(encodeHandshakeRequest({ protocol: 'json', version: 1 }))
        return
      case 'handshaking text':
        this.#read(detail)
        return
      case 'running text':
        this.#heard()
        this.#read(detail)
        return
      case 'running timer':
        this.#watch()
        return
      case 'opening timer':
      case 'handshaking timer':
        this.#end('handshake_timeout', `No connection within ${this.#settings.handshakeTimeoutMs} ms.`)
        return
      case 'opening closed':
      case 'handshaking closed':
        this.#end('connection_failed', `The server could not be reached, or refused the connection (${detail}).`)
        return
      case 'running closed':
        this.#end('connection_lost', `The connection was lost (${detail}).`)
        return
      case 'handshaking binary':
      case 'running binary':
        this.#end('protocol_broken', 'The server sent binary data where text was agreed.')
        return
      case 'opening text':
      case 'opening binary':
      case 'handshaking opened':
      case 'running opened':
        this.#end('protocol_broken', `The socket is out of order: ${step}.`)
        return
      // Late events of a socket that was given up.
      case 'ended opened':
      case 'ended text':
      case 'ended binary':
      case 'ended closed':
      case 'ended timer':
        return
      default:
        step satisfies never
    }
  }

  #read(text: string): void {
    try {
      for (const record of this.#reader.read(text)) {
        if (this.#phase === 'handshaking') this.#shakeHands(record)
        else this.#receive(record)
        // A handler may have closed the channel.
        if (this.#phase !== 'running') return
      }
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause
      this.#end('protocol_broken', `The server does not speak as a SignalR server does: ${cause.message}`, { cause })
    }
  }

  #shakeHands({ error }: HubRecord): void {
    if (typeof error === 'string') {
      const isFinal = error !== HANDSHAKE_CANCELED
      this.#end(isFinal ? 'handshake_refused' : 'connection_failed', `The server says: ${error}`, { isFinal })
      return
    }
    this.#phase = 'running'
    this.#receivedAt = this.#settings.environment.now()
    // The server's own timeout starts with the first ping.
    this.#ping()
    this.#watch()
    this.#listener.onHandshake()
  }

  #receive(record: HubRecord): void {
    const { type, target, arguments: args, error, allowReconnect } = record
    switch (type) {
      case MessageType.Invocation:
        this.#listener.onInvocation(target, args)
        return
      case MessageType.Completion:
        this.#listener.onCompletion(record)
        return
      case MessageType.Close: {
        const says = typeof error === 'string' ? `: ${error}` : '.'
        if (allowReconnect === true) this.#end('connection_lost', `The server ended the connection for now${says}`)
        else this.#end('closed_by_server', `The server closed the connection for good${says}`, { isFinal: true })
        return
      }
      default:
      // Pings need no answer, and the rest is for streams, which this client doesn't read.
    }
  }

  /** Timers of a hidden page run once a minute, its sockets' events at once: what comes in keeps the pings going. */
  #heard(): void {
    this.#receivedAt = this.#settings.environment.now()
    if (this.#receivedAt - this.#sentAt >= this.#settings.keepAliveIntervalMs) this.#ping()
  }

  /** Pings when it is time to, ends a connection that is silent for too long, and comes back when either is due. */
  #watch(): void {
    const { environment, keepAliveIntervalMs, serverTimeoutMs } = this.#settings
    this.#timer.stop()
    const now = environment.now()
    // The clock may have been set back.
    this.#receivedAt = Math.min(this.#receivedAt, now)
    this.#sentAt = Math.min(this.#sentAt, now)
    if (now - this.#receivedAt >= serverTimeoutMs) {
      this.#end('server_timeout', `Nothing came from the server for ${serverTimeoutMs} ms.`)
      return
    }
    if (now - this.#sentAt >= keepAliveIntervalMs) this.#ping()
    const dueAt = Math.min(this.#receivedAt + serverTimeoutMs, this.#sentAt + keepAliveIntervalMs)
    this.#timer = environment.after(dueAt - now, () => this.#step('timer'))
  }

  #ping(): void {
    this.#sentAt = this.#settings.environment.now()
    this.#socket.send(PING)
  }

  #end(code: ChannelError['code'], message: string, { isFinal = false, cause }: EndDetails = {}): void {
    this.#phase = 'ended'
    this.#timer.stop()
    void this.#socket.close()
    this.#listener.onEnd(new ChannelError(code, message, cause === undefined ? {} : { cause }), isFinal)
  }
}

interface EndDetails {
  readonly isFinal?: boolean
  readonly cause?: unknown
}
