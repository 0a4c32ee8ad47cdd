import {
  CHANNEL_OWNER_TARGET,
  CHANNEL_STATE_TARGET,
  type ChannelState,
  type Message,
  SERVER_MESSAGE_TARGET,
} from '@serverchannel/protocol'

/** What the server calls in the page, with its argument checked. */
export type Invocation =
  | { readonly name: 'message'; readonly message: Message }
  | { readonly name: 'state'; readonly state: ChannelState }
  | { readonly name: 'owner'; readonly owner: string }
  /** A call of one of ours with an argument that is none. */
  | { readonly name: 'broken' }
  /** For somebody else's client. */
  | { readonly name: 'unknown' }

/** Targets match in any case, as everywhere in SignalR. Source: SIGNALR 2.8, J2. */
export function readInvocation(target: unknown, args: unknown): Invocation {
  if (typeof target !== 'string' || !Array.isArray(args)) return { name: 'broken' }
  const argument: unknown = args[0]
  switch (target.toLowerCase()) {
    case MESSAGE:
      return isMessage(argument) ? { name: 'message', message: withBody(argument) } : { name: 'broken' }
    case STATE:
      return isState(argument) ? { name: 'state', state: argument } : { name: 'broken' }
    case OWNER:
      return typeof argument === 'string' ? { name: 'owner', owner: argument } : { name: 'broken' }
    default:
      return { name: 'unknown' }
  }
}

const MESSAGE = SERVER_MESSAGE_TARGET.toLowerCase()
const STATE = CHANNEL_STATE_TARGET.toLowerCase()
const OWNER = CHANNEL_OWNER_TARGET.toLowerCase()

function isMessage(value: unknown): value is Message {
  if (!isObject(value) || !isObject(value.Header)) return false
  return typeof value.Id === 'string' && typeof value.Header.Sender === 'string'
}

function isState(value: unknown): value is ChannelState {
  if (!isObject(value) || typeof value.epoch !== 'string') return false
  return Number.isSafeInteger(value.offset)
}

/** A server may leave out what is null. */
function withBody(message: Message): Message {
  return message.Body === undefined ? { ...message, Body: null } : message
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
