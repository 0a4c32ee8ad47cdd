import type { ChannelState, Message } from '@serverchannel/protocol'
import type { Channel } from '../channel/channel.ts'
import { ChannelError, type ErrorCode } from '../channel/channel-error.ts'
import type { ClientMessage, MessageCaller } from '../channel/client-message.ts'
import type { Clock } from '../channel/clock.ts'
import { reservedSenders } from '../channel/reserved-senders.ts'
import type { Limits } from '../options.ts'
import { type ClientEnvelope, parseEnvelope, parseRawEnvelope } from './client-envelope.ts'
import type { ClientMessages } from './client-messages.ts'
import type { HubContext } from './hub-context.ts'
import { defineHub, type HubDefinition } from './hub-definition.ts'
import { HubException } from './hub-exception.ts'
import { MessageRate } from './message-rate.ts'

/**
 * What the channel's hub and its clients say to each other. Source: PARITY 3, "hub methods".
 *
 * @example
 * const connection: TypedConnection<ChannelContract> = new HubConnectionBuilder().withUrl('/msg').build()
 * connection.on('ServerMessage', (message) => show(message.Header.Sender, message.Body))
 * await connection.invoke('SendMessage', { Header: { Sender: 'PTPMsg' }, Body: { draft: 7 } })
 */
export interface ChannelContract {
  readonly server: {
    /** Whether the channel answers at all: `Pong!`. */
    Ping(): string
    /** Sends the message back to the caller, and to nobody else. */
    Echo(message: ClientEnvelope): void
    /** Sends a message to whom the server's policy says, or gives the server a command. */
    SendMessage(message: ClientEnvelope): void
    /** The same, with the message as JSON text. */
    SendRawMessage(text: string): void
    /**
     * From now on this connection is told at most once in so many milliseconds, 1,000 to 600,000, and of each key only the
     * newest; 0: everything at once. For pages that nobody looks at.
     */
    TellEvery(intervalMs: number): void
  }
  readonly client: {
    ServerMessage(message: Message): void
    /** Of clients that connect with `?position=`. */
    ChannelState(state: ChannelState): void
  }
}

export interface ChannelMethodsParts {
  readonly channel: Pick<Channel, 'tellEvery'>
  readonly messages: ClientMessages
  readonly limits: Pick<Limits, 'nameLengthMax' | 'depthMax' | 'clientMessagesPerSecond' | 'clientMessagesBurst'>
  readonly clock: Clock
  readonly createId: () => string
  /** Told what went wrong inside. */
  readonly onError: (error: unknown, where: string) => void
}

type Context = HubContext<ChannelContract>

/** The methods of the channel's hub. */
export function createChannelMethods(parts: ChannelMethodsParts): HubDefinition<ChannelContract> {
  const { limits, createId } = parts
  const take = (context: Context, parse: () => ClientMessage): Promise<void> =>
    answer(parts, context, parse, (message) => takeMessage(parts, context, message))
  return defineHub<ChannelContract>({
    methods: {
      Ping: () => 'Pong!',
      Echo: (context, envelope) =>
        answer(
          parts,
          context,
          () => parseEnvelope(envelope, limits, createId),
          (message) => context.caller.send('ServerMessage', toEnvelope(message)),
        ),
      SendMessage: (context, envelope) => take(context, () => parseEnvelope(envelope, limits, createId)),
      SendRawMessage: (context, text) => take(context, () => parseRawEnvelope(text, limits, createId)),
      TellEvery({ connectionId }, intervalMs) {
        if (!isInterval(intervalMs)) {
          throw new HubException('message_invalid: An interval is 0, or from 1,000 to 600,000 milliseconds.')
        }
        parts.channel.tellEvery(connectionId, intervalMs)
      },
    },
  })
}

function isInterval(value: unknown): boolean {
  return value === 0 || (typeof value === 'number' && value >= 1_000 && value <= 600_000)
}

async function takeMessage(parts: ChannelMethodsParts, context: Context, message: ClientMessage): Promise<void> {
  if (message.sender === reservedSenders.consoleCommand) {
    const Body = replyTo(message.body)
    const Header = { Sender: reservedSenders.commandService, BodyTypeName: 'System.String' }
    context.caller.send('ServerMessage', { Id: parts.createId(), Header, Body })
  } else await parts.messages.take(message, toCaller(context))
}

const COMMAND_SHOWN_MAX = 64

/** Source: PARITY 3, "ping". */
function replyTo(command: unknown): string {
  if (command === 'ping') return 'pong'
  if (typeof command !== 'string') return 'A command is a string. There is: ping.'
  return `There is no command '${command.slice(0, COMMAND_SHOWN_MAX)}'. There is: ping.`
}

/** Runs it if the client sends no faster than it may, and says to the client what is wrong. */
async function answer(
  parts: ChannelMethodsParts,
  context: Context,
  parse: () => ClientMessage,
  run: (message: ClientMessage) => void | Promise<void>,
): Promise<void> {
  try {
    countMessage(parts, context)
    await run(parse())
  } catch (error) {
    const isTold = error instanceof ChannelError && TOLD.has(error.code)
    if (!isTold || error.code === 'store_failed') {
      parts.onError(error instanceof ChannelError ? (error.cause ?? error) : error, 'SendMessage')
    }
    throw new HubException(
      isTold
        ? `${error.code}: ${error.message}`
        : 'internal: Something went wrong inside the server; its log says what.',
    )
  }
}

/** What the client did wrong, or can try again. All else is the application's doing, and none of the client's business. */
const TOLD: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'body_invalid',
  'body_not_json',
  'body_too_deep',
  'body_too_large',
  'channel_closed',
  'id_invalid',
  'message_invalid',
  'message_refused',
  'sender_invalid',
  'sender_reserved',
  'store_failed',
  'too_many_messages',
])

const RATE = 'rate'

function countMessage({ limits, clock }: ChannelMethodsParts, { items }: Context): void {
  const { clientMessagesPerSecond, clientMessagesBurst } = limits
  const now = clock.now()
  const kept = items.get(RATE)
  const rate = kept instanceof MessageRate ? kept : new MessageRate(clientMessagesPerSecond, clientMessagesBurst, now)
  items.set(RATE, rate)
  if (rate.take(now)) return
  throw new ChannelError(
    'too_many_messages',
    `No more than ${clientMessagesBurst} messages at once and ${clientMessagesPerSecond} a second; wait a second.`,
  )
}

function toCaller({ user, identity, connectionId }: Context): MessageCaller {
  return { user, groups: identity.groups ?? [], connectionId }
}

/** As it was sent, but for what is no part of a message. */
function toEnvelope({ id, sender, body, bodyTypeName, channelType }: ClientMessage): Message {
  return {
    Id: id,
    Header: {
      Sender: sender,
      ...(bodyTypeName === undefined ? {} : { BodyTypeName: bodyTypeName }),
      ...(channelType === undefined ? {} : { ChannelType: channelType }),
    },
    Body: body,
  }
}
