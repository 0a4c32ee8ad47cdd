import { encodeHandshakeRequest, type HubMessage, MessageType } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { HubRecord } from './codec.ts'
import type { Timer } from './environment.ts'
import type { Settings } from './options.ts'
import type { Attempt, Transport, TransportKind, Verdict } from './transports/transport.ts'

export interface SessionListener {
  onHandshake(): void
  /** What is no ping and no end, as it came: nobody has looked at it yet. */
  onRecord(record: HubRecord): void
  /** Comes once, and nothing after it. Final: the server wants no other attempt. */
  onEnd(error: ChannelError, isFinal: boolean, verdict: Verdict): void
}

const CLOSE_TIMEOUT_MS = 1_000
/** A poll is answered after 90 s, data or not. */
const POLL_TIMEOUT_MS = 100_000
/** What a SignalR server says when it stops waiting or goes down: no refusal. Source: SIGNALR 2.7, K2. */
const HANDSHAKE_CANCELED = 'Handshake was canceled.'

type Phase = 'opening' | 'handshaking' | 'running' | 'ended'
type Happening = 'opened' | 'data' | 'closed' | 'timer'

/** Nothing is to be done about late events of a transport that was given up. */
type Passed = 'ended opened' | 'ended data' | 'ended closed' | 'ended timer'

/** One transport's life as a SignalR connection, from its opening to its end. Source: SIGNALR 2.7, 2.8, 2.10. */
export class Session {
  readonly #settings: Settings
  readonly #listener: SessionListener
  readonly #hasPings: boolean
  readonly #transport: Transport
  readonly #read: (data: unknown) => Iterable<HubRecord>
  #phase: Phase = 'opening'
  #heardAt: number | undefined
  #sentAt = 0
  #timer: Timer

  /** @throws what the transport throws where it can't be made. */
  constructor(kind: TransportKind, attempt: Attempt, settings: Settings, listener: SessionListener) {
    this.#settings = settings
    this.#listener = listener
    this.#hasPings = kind.hasPings
    this.#read = settings.codec.createReader()
    this.#transport = kind.open(attempt, {
      onOpen: () => this.#step('opened'),
      onData: (data) => this.#step('data', data),
      onClose: (reason, verdict) => this.#step('closed', reason, verdict),
    })
    this.#timer = settings.environment.after(settings.handshakeTimeoutMs, () => this.#step('timer'))
  }

  /** When the server last said anything, undefined before the handshake. */
  get heardAt(): number | undefined {
    return this.#heardAt
  }

  send(message: HubMessage): void {
    this.#sentAt = this.#settings.environment.now()
    this.#transport.send(this.#settings.codec.encode(message))
  }

  /** Ends it, politely, without a call of `onEnd`. Resolves when it is gone, or when waiting is of no more use. */
  async close(): Promise<void> {
    if (this.#phase === 'running') this.send({ type: MessageType.Close })
    this.#phase = 'ended'
    this.#timer.stop()
    const tooLong = new Promise<void>((resolve) => {
      this.#timer = this.#settings.environment.after(CLOSE_TIMEOUT_MS, resolve)
    })
    await Promise.race([this.#transport.close(), tooLong])
    this.#timer.stop()
  }

  /** Looks at the clock now: timers stand still while a page is frozen or the machine sleeps. */
  check(): void {
    if (this.#phase === 'running') this.#watch()
  }

  #step(happening: Happening, detail?: unknown, verdict?: Verdict): void {
    const step = `${this.#phase} ${happening}` as const
    switch (step) {
      case 'opening opened': {
        this.#phase = 'handshaking'
        const request = encodeHandshakeRequest({ protocol: this.#settings.codec.name, version: 1 })
        this.#transport.send(request)
        return
      }
      case 'running data':
        this.#heard()
        this.#receiveAll(detail)
        return
      case 'handshaking data':
        this.#receiveAll(detail)
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
        this.#end('connection_failed', `The server could not be reached, or refused the connection (${detail}).`, {
          verdict,
        })
        return
      case 'running closed':
        this.#end('connection_lost', `The connection was lost (${detail}).`)
        return
      case 'opening data':
      case 'handshaking opened':
      case 'running opened':
        this.#end('protocol_broken', `The transport is out of order: ${step}.`)
        return
      default:
        step satisfies Passed
    }
  }

  #receiveAll(data: unknown): void {
    try {
      for (const record of this.#read(data)) {
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
      this.#end(isFinal ? 'handshake_refused' : 'connection_failed', `The server says: ${error}`, {
        isFinal,
        verdict: 'refused',
      })
      return
    }
    this.#phase = 'running'
    this.#heardAt = this.#settings.environment.now()
    // The server's own timeout starts with the first ping.
    if (this.#hasPings) this.send({ type: MessageType.Ping })
    this.#watch()
    this.#listener.onHandshake()
  }

  #receive(record: HubRecord): void {
    const { type, error, allowReconnect } = record
    if (type === MessageType.Close) {
      const says = typeof error === 'string' ? `: ${error}` : '.'
      if (allowReconnect === true) this.#end('connection_lost', `The server ended the connection for now${says}`)
      else this.#end('closed_by_server', `The server closed the connection for good${says}`, { isFinal: true })
    } else if (type !== MessageType.Ping) this.#listener.onRecord(record)
  }

  /** Timers of a hidden page run once a minute, its sockets' events at once: what comes in keeps the pings going. */
  #heard(): void {
    const now = this.#settings.environment.now()
    this.#heardAt = now
    this.#keepAlive(now)
  }

  #keepAlive(now: number): void {
    const isDue = now - this.#sentAt >= this.#settings.keepAliveIntervalMs
    if (this.#hasPings && isDue) this.send({ type: MessageType.Ping })
  }

  /** Pings when it is time to, ends a connection that is silent for too long, and comes back when either is due. */
  #watch(): void {
    const { environment, keepAliveIntervalMs, serverTimeoutMs } = this.#settings
    const timeoutMs = this.#hasPings ? serverTimeoutMs : Math.max(serverTimeoutMs, POLL_TIMEOUT_MS)
    this.#timer.stop()
    const now = environment.now()
    // The clock may have been set back.
    const heardAt = Math.min(this.#heardAt ?? now, now)
    this.#heardAt = heardAt
    this.#sentAt = Math.min(this.#sentAt, now)
    if (now - heardAt >= timeoutMs) {
      this.#end('server_timeout', `Nothing came from the server for ${timeoutMs} ms.`)
      return
    }
    this.#keepAlive(now)
    const timeoutAt = heardAt + timeoutMs
    const dueAt = this.#hasPings ? Math.min(timeoutAt, this.#sentAt + keepAliveIntervalMs) : timeoutAt
    this.#timer = environment.after(dueAt - now, () => this.#step('timer'))
  }

  #end(code: ChannelError['code'], message: string, { isFinal = false, cause, verdict }: EndDetails = {}): void {
    this.#phase = 'ended'
    this.#timer.stop()
    void this.#transport.close()
    this.#listener.onEnd(new ChannelError(code, message, cause === undefined ? {} : { cause }), isFinal, verdict)
  }
}

interface EndDetails {
  readonly isFinal?: boolean
  readonly cause?: unknown
  readonly verdict?: Verdict
}
