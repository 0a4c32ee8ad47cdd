import { ChannelError } from './channel-error.ts'
import type { Timer } from './environment.ts'
import { attemptUrl } from './hub-url.ts'
import type { Settings } from './options.ts'
import type { HubRecord } from './record-reader.ts'
import { Session } from './session.ts'

/**
 * - `connecting`: not connected yet.
 * - `open`: connected, and all that was missed has come or is stated to be lost.
 * - `reconnecting`: the connection is gone; attempts go on until one succeeds.
 * - `closed`: for good, by `close()` or because the server wants no connection.
 */
export type ConnectionState = 'connecting' | 'open' | 'reconnecting' | 'closed'

export interface ConnectionListener {
  /** Asked at each attempt: where to go on from, or an empty string. */
  position(): string
  onInvocation(target: unknown, args: unknown): void
  onCompletion(record: HubRecord): void
  onStateChange(state: ConnectionState, previous: ConnectionState, error: ChannelError | undefined): void
  onError(error: ChannelError): void
}

/** How long a server that names no position may be silent before the connection counts as open. */
const CATCH_UP_GRACE_MS = 2_000

/**
 * `waiting`: until the next attempt. `authorizing`: asks for an access token. `shaking`: a socket opens and shakes hands.
 * `catching-up`: what was missed comes, until the server states the position. `open`. `closed`.
 */
type Phase = 'waiting' | 'authorizing' | 'shaking' | 'catching-up' | 'open' | 'closed'
/** `due`: the timer ran out. `wake`: from outside, there is reason to try at once. */
type Happening = 'due' | 'wake' | 'authorized' | 'shaken' | 'caught-up' | 'lost' | 'refused' | 'close'

/** Keeps one session at a time going, for ever, until it is closed or refused. */
export class Connection {
  readonly #hub: URL
  readonly #settings: Settings
  readonly #listener: ConnectionListener
  readonly #stopWaking: () => void
  #phase: Phase = 'waiting'
  #hasOpened = false
  #failures = 0
  #accessToken: string | undefined
  #session: Session | undefined
  #timer: Timer | undefined
  #gone: Promise<void> | undefined

  constructor(hub: URL, settings: Settings, listener: ConnectionListener) {
    this.#hub = hub
    this.#settings = settings
    this.#listener = listener
    this.#stopWaking = settings.environment.onWake(() => this.wake())
    void this.#authorize()
  }

  get state(): ConnectionState {
    if (this.#phase === 'open' || this.#phase === 'closed') return this.#phase
    return this.#hasOpened ? 'reconnecting' : 'connecting'
  }

  /** Tries at once where it waits, and looks whether a connection that seems open still is. */
  wake(): void {
    this.#step('wake')
  }

  /** Returns false where there is no connection to send it on. */
  send(text: string): boolean {
    return this.#session?.send(text) ?? false
  }

  /** The server stated the position: all that was missed has come, or won't. */
  caughtUp(): void {
    this.#step('caught-up')
  }

  /** A message with a position came: such a server will also state the position, however much it has to send before. */
  keepCatchingUp(): void {
    if (this.#phase === 'catching-up') this.#setTimer(CATCH_UP_GRACE_MS)
  }

  /** Resolves when the socket is gone. Idempotent. */
  async close(): Promise<void> {
    this.#step('close')
    await this.#gone
  }

  #step(happening: Happening, error?: ChannelError): void {
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
        this.#setTimer(CATCH_UP_GRACE_MS)
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
      case 'authorizing lost':
      case 'shaking lost':
      case 'catching-up lost':
        this.#wait(error)
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
      // A later statement of the position, which the channel has noted.
      case 'open caught-up':
      // What was asked for by an attempt that was given up in the meantime.
      case 'closed authorized':
      case 'closed due':
      case 'closed wake':
      case 'closed close':
      // A token is on its way; it can't be hurried.
      case 'authorizing wake':
        return
      // No session or timer there that could say so.
      case 'waiting authorized':
      case 'waiting shaken':
      case 'waiting caught-up':
      case 'waiting lost':
      case 'waiting refused':
      case 'authorizing due':
      case 'authorizing shaken':
      case 'authorizing caught-up':
      case 'authorizing refused':
      case 'shaking due':
      case 'shaking authorized':
      case 'shaking caught-up':
      case 'catching-up authorized':
      case 'catching-up shaken':
      case 'open due':
      case 'open authorized':
      case 'open shaken':
      case 'closed shaken':
      case 'closed caught-up':
      case 'closed lost':
      case 'closed refused':
        return
      default:
        step satisfies never
    }
  }

  /** Always ends in a later turn, so that who connects can add handlers before anything happens. */
  async #authorize(): Promise<void> {
    this.#timer?.stop()
    this.#phase = 'authorizing'
    await Promise.resolve()
    const { accessToken } = this.#settings
    try {
      this.#accessToken = typeof accessToken === 'function' ? await accessToken() : accessToken
    } catch (cause) {
      this.#step('lost', new ChannelError('access_token_failed', 'There is no access token.', { cause }))
      return
    }
    this.#step('authorized')
  }

  #open(): void {
    this.#phase = 'shaking'
    const url = attemptUrl(this.#hub, this.#listener.position(), this.#accessToken)
    try {
      this.#session = new Session(url, this.#settings, {
        onHandshake: () => this.#step('shaken'),
        onInvocation: (target, args) => this.#listener.onInvocation(target, args),
        onCompletion: (record) => this.#listener.onCompletion(record),
        onEnd: (error, isFinal) => this.#step(isFinal ? 'refused' : 'lost', error),
      })
    } catch (cause) {
      this.#step('lost', new ChannelError('connection_failed', 'The WebSocket could not be made.', { cause }))
    }
  }

  /** Full jitter: a random part of a ceiling that doubles, so that many clients don't come back at the same moment. */
  #wait(error: ChannelError | undefined): void {
    const { environment, reconnectDelayMs, reconnectDelayMsMax } = this.#settings
    const ceilingMs = Math.min(reconnectDelayMsMax, reconnectDelayMs * 2 ** this.#failures)
    this.#failures++
    this.#setTimer(environment.random() * ceilingMs)
    this.#session = undefined
    this.#enter('waiting', error)
  }

  #enter(phase: 'waiting' | 'open' | 'closed', error?: ChannelError): void {
    const previous = this.state
    if (phase !== 'waiting') this.#timer?.stop()
    if (phase === 'closed') this.#stopWaking()
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
