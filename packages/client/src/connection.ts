import type { HubMessage } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { HubRecord } from './codec.ts'
import type { ConnectionState } from './connection-state.ts'
import type { Timer } from './environment.ts'
import type { Settings } from './options.ts'
import { openSession, type Session } from './session.ts'
import type { TransportChoice, Verdict } from './transports/transport.ts'

export interface ConnectionListener {
  /** Asked at each attempt: writes into the url's query what the server is to be told. */
  prepare(url: URL): void
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

/** A connection that is made again and again. */
export interface Connection {
  readonly state: ConnectionState
  /** When the server last said anything. */
  readonly heardAt: number | undefined
  /** Tries at once where it waits, and looks whether a connection that seems open still is. */
  readonly wake: () => void
  /** Leaves the connection that there is for another one, at once. */
  readonly restart: () => void
  /** The server stated the position: all that was missed has come, or won't. */
  caughtUp(): void
  /** A message with a position came: such a server will also state the position, however much it has to send before. */
  keepCatchingUp(): void
  /** @throws ChannelError `connection_lost` where it is not connected. */
  send(message: HubMessage): void
  /** Resolves when the transport is gone. Idempotent. */
  readonly close: () => Promise<void>
}

/** Keeps one session at a time going, for ever, until it is closed or refused. */
export function openConnection(
  hub: URL,
  settings: Settings,
  choice: TransportChoice,
  listener: ConnectionListener,
): Connection {
  const { environment, reconnectDelayMs, reconnectDelayMsMax } = settings
  let phase = 'waiting' as Phase
  let hasOpened = false
  let failures = 0
  let accessToken: string | undefined
  let session: Session | undefined
  let heardAt: number | undefined
  let timer: Timer | undefined
  let gone: Promise<void> | undefined
  /** Numbers the attempts, so that a token that comes late is not taken for a later one's. */
  let attempts = 0

  const step = (happening: Happening, error?: ChannelError, verdict?: Verdict): void => {
    const taken = `${phase} ${happening}` as const
    switch (taken) {
      case 'waiting wake':
        // Old failures say nothing about a network that is back.
        failures = 0
        void authorize()
        return
      case 'waiting due':
        void authorize()
        return
      case 'authorizing authorized':
        open()
        return
      case 'shaking shaken':
        phase = 'catching-up'
        choice.worked()
        setTimer(CATCH_UP_GRACE_MS)
        listener.onHandshake()
        return
      case 'catching-up due':
      case 'catching-up caught-up':
        enter('open')
        return
      case 'shaking wake':
      case 'catching-up wake':
      case 'open wake':
        session?.check()
        return
      case 'open lost':
        // A server whose data can't be read is not asked again and again for the same.
        if (error?.code !== 'protocol_broken') failures = 0
        wait(error)
        return
      case 'shaking lost':
        if (choice.failed(verdict)) {
          // Nobody waits: it is not the server that failed.
          void authorize()
          if (error) listener.onError(error)
        } else wait(error)
        return
      case 'authorizing lost':
      case 'catching-up lost':
        wait(error)
        return
      // A page with an open connection is not kept by browsers; one that is frozen could not answer on it.
      case 'waiting freeze':
      case 'authorizing freeze':
      case 'shaking freeze':
      case 'catching-up freeze':
      case 'open freeze':
        void session?.close()
        enter('waiting')
        return
      case 'waiting close':
      case 'authorizing close':
      case 'shaking close':
      case 'catching-up close':
      case 'open close':
        gone = session?.close()
        enter('closed')
        return
      case 'shaking refused':
      case 'catching-up refused':
      case 'open refused':
        enter('closed', error)
        return
      default:
        taken satisfies Passed
    }
  }

  /** Always ends in a later turn, so that who connects can add handlers before anything happens. */
  const authorize = async (): Promise<void> => {
    const attempt = ++attempts
    leave()
    phase = 'authorizing'
    await Promise.resolve()
    let failure: ChannelError | undefined
    try {
      accessToken = typeof settings.accessToken === 'function' ? await settings.accessToken() : settings.accessToken
    } catch (cause) {
      failure = new ChannelError('access_token_failed', 'No access token.', { cause })
    }
    if (attempt === attempts) step(failure ? 'lost' : 'authorized', failure)
  }

  const open = (): void => {
    phase = 'shaking'
    const url = new URL(hub)
    listener.prepare(url)
    try {
      session = openSession(choice.next(), { ...settings, url, accessToken }, settings, {
        onHandshake: () => step('shaken'),
        onRecord: (record) => listener.onRecord(record),
        onEnd: (error, isFinal, verdict) => step(isFinal ? 'refused' : 'lost', error, verdict),
      })
    } catch (cause) {
      step('lost', new ChannelError('connection_failed', 'There is no transport.', { cause }))
    }
  }

  /** Full jitter: a random part of a ceiling that doubles, so that many clients don't come back at the same moment. */
  const wait = (error: ChannelError | undefined): void => {
    const ceilingMs = Math.min(reconnectDelayMsMax, reconnectDelayMs * 2 ** failures)
    failures++
    leave()
    setTimer(environment.random() * ceilingMs)
    enter('waiting', error)
  }

  const leave = (): void => {
    heardAt = session?.heardAt() ?? heardAt
    session = undefined
    timer?.stop()
  }

  const enter = (next: 'waiting' | 'open' | 'closed', error?: ChannelError): void => {
    const previous = state()
    if (!error) timer?.stop()
    if (next === 'closed') {
      timer?.stop()
      stopSigns()
    }
    phase = next
    hasOpened ||= next === 'open'
    const now = state()
    if (now !== previous) listener.onStateChange(now, previous, error)
    if (error) listener.onError(error)
  }

  const setTimer = (delayMs: number): void => {
    timer?.stop()
    timer = environment.after(delayMs, () => step('due'))
  }

  const state = (): ConnectionState => {
    if (phase === 'open' || phase === 'closed') return phase
    return hasOpened ? 'reconnecting' : 'connecting'
  }

  const stopSigns = environment.onSign((sign) => {
    if (sign === 'online') choice.anotherNetwork()
    if (sign === 'frozen') step('freeze')
    else if (sign !== 'hidden') step('wake')
  })
  void authorize()
  return {
    get state() {
      return state()
    },
    get heardAt() {
      return session?.heardAt() ?? heardAt
    },
    wake: () => step('wake'),
    restart() {
      step('freeze')
      step('wake')
    },
    caughtUp: () => step('caught-up'),
    keepCatchingUp() {
      if (phase === 'catching-up') setTimer(CATCH_UP_GRACE_MS)
    },
    send(message) {
      if (phase !== 'open' && phase !== 'catching-up') {
        throw new ChannelError('connection_lost', 'There is no connection.')
      }
      session?.send(message)
    },
    async close() {
      step('close')
      await gone
    },
  }
}
