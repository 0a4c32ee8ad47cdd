import { type HubMessage, RECORD_SEPARATOR } from '@serverchannel/protocol'
import { ChannelError, type ChannelErrorCode } from './channel-error.ts'
import type { HubRecord } from './codec.ts'
import type { Timer } from './environment.ts'
import { CLOSE, PING } from './message-types.ts'
import type { Settings } from './options.ts'
import type { Attempt, TransportKind, Verdict } from './transports/transport.ts'

export interface SessionListener {
  onHandshake(): void
  /** What is no ping and no end, as it came: nobody has looked at it yet. */
  onRecord(record: HubRecord): void
  /** Comes once, and nothing after it. Final: the server wants no other attempt. */
  onEnd(error: ChannelError, isFinal: boolean, verdict: Verdict): void
}

/** One transport's life as a SignalR connection. */
export interface Session {
  /** When the server last said anything, undefined before the handshake. */
  heardAt(): number | undefined
  send(message: HubMessage): void
  /** Looks at the clock now: timers stand still while a page is frozen or the machine sleeps. */
  check(): void
  /** Ends it, politely, without a call of `onEnd`. Resolves when it is gone, or when waiting is of no more use. */
  close(): Promise<void>
}

const CLOSE_TIMEOUT_MS = 1_000
/** What a SignalR server says when it stops waiting or goes down: no refusal. Source: SIGNALR 2.7, K2. */
const HANDSHAKE_CANCELED = 'Handshake was canceled.'

type Phase = 'opening' | 'handshaking' | 'running' | 'ended'
type Happening = 'opened' | 'data' | 'closed' | 'timer'
/** Nothing is to be done about late events of a transport that was given up. */
type Passed = `ended ${Happening}`

/**
 * Opens a transport and keeps to the protocol on it, until it ends. A closure and no class, because it is a third smaller.
 * Source: SIGNALR 2.7, 2.8, 2.10.
 *
 * @throws what the transport throws where it can't be made.
 */
export function openSession(
  { open, silenceMs = 0 }: TransportKind,
  attempt: Attempt,
  { codec, environment, keepAliveIntervalMs, handshakeTimeoutMs, serverTimeoutMs }: Settings,
  listener: SessionListener,
): Session {
  const { now, after } = environment
  const read = codec.createReader()
  const timeoutMs = Math.max(serverTimeoutMs, silenceMs)
  // Where nobody pings, never.
  const pingMs = silenceMs ? Infinity : keepAliveIntervalMs
  let phase = 'opening' as Phase
  let heardAt: number | undefined
  let sentAt = 0

  const step = (happening: Happening, detail?: unknown, verdict?: Verdict): void => {
    const taken = `${phase} ${happening}` as const
    switch (taken) {
      case 'opening opened':
        phase = 'handshaking'
        transport.send(JSON.stringify({ protocol: codec.name, version: 1 }) + RECORD_SEPARATOR)
        return
      case 'running data':
        heardAt = now()
        keepAlive(heardAt)
        receiveAll(detail)
        return
      case 'handshaking data':
        receiveAll(detail)
        return
      case 'running timer':
        watch()
        return
      case 'opening timer':
      case 'handshaking timer':
        end('handshake_timeout', `No connection within ${handshakeTimeoutMs} ms.`)
        return
      case 'opening closed':
      case 'handshaking closed':
        end('connection_failed', `The server is out of reach or refuses (${String(detail)}).`, verdict)
        return
      case 'running closed':
        end('connection_lost', `Connection lost (${String(detail)}).`)
        return
      case 'opening data':
      case 'handshaking opened':
      case 'running opened':
        end('protocol_broken', `This is not SignalR: ${taken}.`)
        return
      default:
        taken satisfies Passed
    }
  }

  const receiveAll = (data: unknown): void => {
    try {
      for (const record of read(data)) {
        if (phase === 'handshaking') shakeHands(record)
        else receive(record)
        // A handler may have closed the channel.
        if (phase !== 'running') return
      }
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause
      end('protocol_broken', `This is not SignalR: ${cause.message}`, undefined, cause)
    }
  }

  const shakeHands = ({ error }: HubRecord): void => {
    if (error === HANDSHAKE_CANCELED) end('connection_failed', error, 'refused')
    else if (typeof error === 'string') end('handshake_refused', `The server says: ${error}`)
    else {
      phase = 'running'
      heardAt = now()
      // The server's own timeout starts with the first ping.
      if (!silenceMs) send({ type: PING })
      watch()
      listener.onHandshake()
    }
  }

  const receive = (record: HubRecord): void => {
    const { type, error, allowReconnect } = record
    if (type === CLOSE) {
      const says = typeof error === 'string' ? `: ${error}` : '.'
      if (allowReconnect === true) end('connection_lost', `The server ended the connection for now${says}`)
      else end('closed_by_server', `The server closed the connection for good${says}`)
    } else if (type !== PING) listener.onRecord(record)
  }

  const send = (message: HubMessage): void => {
    sentAt = now()
    transport.send(codec.encode(message))
  }

  /** Timers of a hidden page run once a minute, its sockets' events at once: what comes in keeps the pings going. */
  const keepAlive = (time: number): void => {
    if (time - sentAt >= pingMs) send({ type: PING })
  }

  /** Pings when it is time to, ends a connection that is silent for too long, and comes back when either is due. */
  const watch = (): void => {
    timer.stop()
    const time = now()
    // The clock may have been set back.
    heardAt = Math.min(heardAt ?? time, time)
    sentAt = Math.min(sentAt, time)
    if (time - heardAt >= timeoutMs) {
      end('server_timeout', `Nothing came for ${timeoutMs} ms.`)
      return
    }
    keepAlive(time)
    timer = after(Math.min(heardAt + timeoutMs, sentAt + pingMs) - time, onTimer)
  }

  const end = (code: ChannelErrorCode, message: string, verdict?: Verdict, cause?: unknown): void => {
    phase = 'ended'
    timer.stop()
    void transport.close()
    const error = new ChannelError(code, message, cause ? { cause } : {})
    listener.onEnd(error, code === 'handshake_refused' || code === 'closed_by_server', verdict)
  }

  const onTimer = (): void => step('timer')
  const transport = open(attempt, {
    onOpen: () => step('opened'),
    onData: (data) => step('data', data),
    onClose: (reason, verdict) => step('closed', reason, verdict),
  })
  let timer: Timer = after(handshakeTimeoutMs, onTimer)
  return {
    heardAt: () => heardAt,
    send,
    check() {
      if (phase === 'running') watch()
    },
    async close() {
      if (phase === 'running') send({ type: CLOSE })
      phase = 'ended'
      timer.stop()
      await Promise.race([
        transport.close(),
        new Promise<void>((resolve) => {
          timer = after(CLOSE_TIMEOUT_MS, resolve)
        }),
      ])
      timer.stop()
    },
  }
}
