import {
  CHANNEL_OWNER_TARGET,
  CHANNEL_STATE_TARGET,
  type ChannelState,
  type Message,
  SERVER_MESSAGE_TARGET,
} from '@serverchannel/protocol'
import type { createCalls } from './calls.ts'
import { ChannelError } from './channel-error.ts'
import { type Connection, openConnection } from './connection.ts'
import { INVOCATION } from './message-types.ts'
import type { Settings } from './options.ts'
import type { MessageSource, SourceListener } from './source.ts'
import type { TransportChoice } from './transports/transport.ts'

/** What a connection needs besides its settings. */
export interface ConnectionParts {
  readonly choice: TransportChoice
  readonly createCalls?: typeof createCalls | undefined
}

/** Targets match in any case, as everywhere in SignalR. Source: SIGNALR 2.8, J2. */
const MESSAGE = SERVER_MESSAGE_TARGET.toLowerCase()
const STATE = CHANNEL_STATE_TARGET.toLowerCase()
const OWNER = CHANNEL_OWNER_TARGET.toLowerCase()

/** A source that is a connection of this page's own. */
export function openConnectionSource(
  hub: URL,
  settings: Settings,
  { choice, createCalls }: ConnectionParts,
  listener: SourceListener,
): MessageSource & Pick<Connection, 'restart'> {
  /** What the server calls in the page; nobody has looked at the argument yet. Returns false where it is none. */
  const receive = (target: unknown, argument: unknown): boolean => {
    switch (String(target).toLowerCase()) {
      case MESSAGE:
        if (!isMessage(argument)) return false
        // A server without positions states none; one that has them sends messages without only past the log.
        if (argument.Position !== undefined) connection.keepCatchingUp()
        else if (listener.position() === undefined) connection.caughtUp()
        // A server may leave out what is null.
        listener.onMessage(argument.Body === undefined ? { ...argument, Body: null } : argument)
        return true
      case STATE:
        if (!isState(argument)) return false
        listener.onChannelState(argument)
        connection.caughtUp()
        return true
      case OWNER:
        if (typeof argument !== 'string') return false
        listener.onOwner?.(argument)
        return true
      default:
        // For somebody else's client.
        return true
    }
  }
  const connection = openConnection(hub, settings, choice, {
    prepare({ searchParams }) {
      // By a position, be it empty, the server knows a client that keeps one.
      searchParams.set('position', listener.position() ?? '')
      const owner = listener.owner?.()
      if (owner !== undefined) searchParams.set('owner', owner)
    },
    onHandshake() {},
    onRecord({ type, target, arguments: args, ...answer }) {
      if (type !== INVOCATION) calls?.receive({ type, ...answer })
      else if (typeof target !== 'string' || !Array.isArray(args) || !receive(target, args[0])) {
        listener.onError(new ChannelError('protocol_broken', 'A message or a position is malformed.'))
      }
    },
    onStateChange(state, previous, error) {
      if (previous === 'open') calls?.lose(error)
      listener.onStateChange(state, previous, error)
    },
    onError: (error) => listener.onError(error),
  })
  const calls = createCalls?.((message) => connection.send(message))
  return {
    get state() {
      return connection.state
    },
    get heardAt() {
      return connection.heardAt
    },
    calls,
    wake: connection.wake,
    restart: connection.restart,
    close: connection.close,
  }
}

function isMessage(value: unknown): value is Message {
  const { Id, Header } = (value ?? {}) as Partial<Message>
  return typeof Id === 'string' && typeof Header?.Sender === 'string'
}

function isState(value: unknown): value is ChannelState {
  const { epoch, offset } = (value ?? {}) as Partial<ChannelState>
  return typeof epoch === 'string' && Number.isSafeInteger(offset)
}
