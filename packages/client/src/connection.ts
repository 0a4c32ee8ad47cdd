import type { HubMessage } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { HubRecord } from './codec.ts'
import type { Sign, Timer } from './environment.ts'
import type { Settings } from './options.ts'
import { Session } from './session.ts'
import { TransportChoice } from './transport-choice.ts'
import type { Verdict } from './transports/transport.ts'

/**
 * - `connecting`: not connected yet.
 * - `open`: connected, and all that was missed has come or is stated to be lost.
 * - `reconnecting`: the connection is gone; attempts go on until one succeeds.
 * - `closed`: for good, by `close()` or because the server wants no connection.
 */
export type ConnectionState = 'connecting' | 'open' | 'reconnecting' | 'closed'

export interface ConnectionListener {
  /** Asked at each attempt: what the server is told in the url's query. */
  query(): Readonly<Record<string, string>>
  /** The server is there. Not open yet: whoever listens says so with `caughtUp()`. */
  onHandshake(): void
  onRecord(record: HubRecord): void
  onStateChange(state: ConnectionState, previous: ConnectionState, error: ChannelError | undefined): void
  onError(error: ChannelError): void
}

/** How long a server that names no position may be silent before the connection counts as open. */
const CATCH_UP_GRACE_MS = 2_000

/**
 * `waiting`: until the next attempt. `authorizing`: asks for an access token. `shaking`: a transport opens and shakes
 * hands. `catching-up`: what was missed comes, until the server states the position. `open`. `closed`.
 */
type Phase = 'waiting' | 'authorizing' | 'shaking' | 'catching-up' | 'open' | 'closed'
/** `due`: the timer ran out. `wake`: from outside, there is reason to try at once. `freeze`: the page is put away. */
type Happening = 'due' | 'wake' | 'authorized' | 'shaken' | 'caught-up' | 'lost' | 'refused' | 'freeze' | 'close'

/** Nothing is to be done. */
type Passed =
  // A later statement of the position, which the channel has noted.
  | 'open caught-up'
  // What was asked for by an attempt that was given up in the meantime.
  | 'waiting authorized'
  | `closed ${Happening}`
  // A token is on its way; it can't be hurried.
  | 'authorizing wake'
  // No session or timer there that could say so.
  | `waiting ${'shaken' | 'caught-up' | 'lost' | 'refused'}`
  | `authorizing ${'due' | 'shaken' | 'caught-up' | 'refused'}`
  | `shaking ${'due' | 'authorized' | 'caught-up'}`
  | `catching-up ${'authorized' | 'shaken'}`
  | `open ${'due' | 'authorized' | 'shaken'}`

/** Keeps one session at a time going, for ever, until it is closed or refused. */
export class Connection {
  readonly #hub: URL
  readonly #settings: Settings
  readonly #listener: ConnectionListener
  readonly #choice: TransportChoice
  readonly #stopSigns: () => void
  #phase: Phase = 'waiting'
  #hasOpened = false
  #failures = 0
  #accessToken: string | undefined
  #session: Session | undefined
  #heardAt: number | undefined
  #timer: Timer | undefined
  #gone: Promise<void> | undefined
  /** Numbers the attempts, so that a token that comes late is not taken for a later one's. */
  #attempt = 0

  constructor(hub: URL, settings: Settings, listener: ConnectionListener) {
    const { environment, transports } = settings
    this.#hub = hub
    this.#settings = settings
    this.#listener = listener
    this.#choice = new TransportChoice(transports, environment, `serverchannel ${hub.origin}${hub.pathname} transport`)
    this.#stopSigns = environment.onSign((sign) => this.#onSign(sign))
    void this.#authorize()
  }

  get state(): ConnectionState {
    if (this.#phase === 'open' || this.#phase === 'closed') return this.#phase
    return this.#hasOpened ? 'reconnecting' : 'connecting'
  }

  /** When the server last said anything. */
  get heardAt(): number | undefined {
    return this.#session?.heardAt ?? this.#heardAt
  }

  /** Tries at once where it waits, and looks whether a connection that seems open still is. */
  wake(): void {
    this.#step('wake')
  }

  /** The server stated the position: all that was missed has come, or won't. */
  caughtUp(): void {
    this.#step('caught-up')
  }

  /** A message with a position came: such a server will also state the position, however much it has to send before. */
  keepCatchingUp(): void {
    if (this.#phase === 'catching-up') this.#setTimer(CATCH_UP_GRACE_MS)
  }

  /** @throws ChannelError `connection_lost` where it is not connected. */
  send(message: HubMessage): void {
    if (this.#phase !== 'open' && this.#phase !== 'catching-up') {
      throw new ChannelError('connection_lost', 'There is no connection at the moment.')
    }
    this.#session?.send(message)
  }

  /** Resolves when the transport is gone. Idempotent. */
  async close(): Promise<void> {
    this.#step('close')
    await this.#gone
  }

  #onSign(sign: Sign): void {
    switch (sign) {
      case 'online':
        this.#choice.anotherNetwork()
        this.wake()
        return
      case 'visible':
      case 'thawed':
        this.wake()
        return
      case 'frozen':
        this.#step('freeze')
        return
      case 'hidden':
        return
      default:
        sign satisfies never
    }
  }

  #step(happening: Happening, error?: ChannelError, verdict?: Verdict): void {
    const step = `${this.#phase} ${happening}` as const
    switch (step) {
      case 'waiting wake':
        // Old failures say nothing about a network that is back.
        this.#failures = 0
        void this.#authorize()
        return
      case 'waiting due':
        void this.#authorize()
        return
      case 'authorizing authorized':
        this.#open()
        return
      case 'shaking shaken':
        this.#phase = 'catching-up'
        this.#choice.worked()
        this.#setTimer(CATCH_UP_GRACE_MS)
        this.#listener.onHandshake()
        return
      case 'catching-up due':
      case 'catching-up caught-up':
        this.#enter('open')
        return
      case 'shaking wake':
      case 'catching-up wake':
      case 'open wake':
        this.#session?.check()
        return
      case 'open lost':
        // A server whose data can't be read is not asked again and again for the same.
        if (error?.code !== 'protocol_broken') this.#failures = 0
        this.#wait(error)
        return
      case 'shaking lost':
        if (this.#choice.failed(verdict)) this.#fallBack(error)
        else this.#wait(error)
        return
      case 'authorizing lost':
      case 'catching-up lost':
        this.#wait(error)
        return
      // A page with an open connection is not kept by browsers; one that is frozen could not answer on it.
      case 'waiting freeze':
      case 'authorizing freeze':
      case 'shaking freeze':
      case 'catching-up freeze':
      case 'open freeze':
        void this.#session?.close()
        this.#leave()
        this.#timer?.stop()
        this.#enter('waiting')
        return
      case 'waiting close':
      case 'authorizing close':
      case 'shaking close':
      case 'catching-up close':
      case 'open close':
        this.#gone = this.#session?.close()
        this.#enter('closed')
        return
      case 'shaking refused':
      case 'catching-up refused':
      case 'open refused':
        this.#enter('closed', error)
        return
      default:
        step satisfies Passed
    }
  }

  /** Always ends in a later turn, so that who connects can add handlers before anything happens. */
  async #authorize(): Promise<void> {
    const attempt = ++this.#attempt
    this.#timer?.stop()
    this.#phase = 'authorizing'
    await Promise.resolve()
    const { accessToken } = this.#settings
    let failure: ChannelError | undefined
    try {
      this.#accessToken = typeof accessToken === 'function' ? await accessToken() : accessToken
    } catch (cause) {
      failure = new ChannelError('access_token_failed', 'There is no access token.', { cause })
    }
    if (attempt === this.#attempt) this.#step(failure ? 'lost' : 'authorized', failure)
  }

  #open(): void {
    this.#phase = 'shaking'
    const { codec, WebSocket, fetch } = this.#settings
    const url = new URL(this.#hub)
    for (const [name, value] of Object.entries(this.#listener.query())) url.searchParams.set(name, value)
    try {
      const attempt = { url, accessToken: this.#accessToken, codec, WebSocket, fetch }
      this.#session = new Session(this.#choice.next(), attempt, this.#settings, {
        onHandshake: () => this.#step('shaken'),
        onRecord: (record) => this.#listener.onRecord(record),
        onEnd: (error, isFinal, verdict) => this.#step(isFinal ? 'refused' : 'lost', error, verdict),
      })
    } catch (cause) {
      this.#step('lost', new ChannelError('connection_failed', 'The transport could not be made.', { cause }))
    }
  }

  /** Nobody waits: it is not the server that failed. */
  #fallBack(error: ChannelError | undefined): void {
    this.#leave()
    void this.#authorize()
    if (error) this.#listener.onError(error)
  }

  /** Full jitter: a random part of a ceiling that doubles, so that many clients don't come back at the same moment. */
  #wait(error: ChannelError | undefined): void {
    const { environment, reconnectDelayMs, reconnectDelayMsMax } = this.#settings
    const ceilingMs = Math.min(reconnectDelayMsMax, reconnectDelayMs * 2 ** this.#failures)
    this.#failures++
    this.#setTimer(environment.random() * ceilingMs)
    this.#leave()
    this.#enter('waiting', error)
  }

  #leave(): void {
    this.#heardAt = this.heardAt
    this.#session = undefined
  }

  #enter(phase: 'waiting' | 'open' | 'closed', error?: ChannelError): void {
    const previous = this.state
    if (phase !== 'waiting') this.#timer?.stop()
    if (phase === 'closed') this.#stopSigns()
    this.#phase = phase
    this.#hasOpened ||= phase === 'open'
    const { state } = this
    if (state !== previous) this.#listener.onStateChange(state, previous, error)
    if (error) this.#listener.onError(error)
  }

  #setTimer(delayMs: number): void {
    this.#timer?.stop()
    this.#timer = this.#settings.environment.after(delayMs, () => this.#step('due'))
  }
}
