import { type Logger, pino } from 'pino'
import type { Receipt } from './channel/channel.ts'
import { ChannelError } from './channel/channel-error.ts'
import type { Post } from './channel/intake.ts'
import { Posting } from './channel/posting.ts'
import { currentChannel, type MessageTaker } from './current-channel.ts'
import { HttpPoster } from './http-poster.ts'
import { MsgChannelManager, SimpleMessage } from './terrasoft-messaging.ts'

export type { Msg, MsgChannel, MsgChannels, MsgHeader } from './terrasoft-messaging.ts'
export { InvalidOperationException } from './terrasoft-messaging.ts'

/** Whom a message is for: what processes and web services have at hand, or a user id, or several. */
export type UserConnection = { readonly CurrentUser: { readonly Id: string } } | string | Iterable<string>

interface MsgChannelUtilities {
  /** Sender of the process engine's own messages. */
  readonly ProcessEngineSenderName: 'ProcessEngine'
  /** Posts a message to everybody. `body` is any JSON value; a string arrives as that very string. */
  PostMessageToAll(senderName: string, body?: unknown): Posting<Receipt>
  /** Posts a message to all windows of a user. Nobody there is no error: the log keeps it for those who come back. */
  PostMessage(userConnection: UserConnection, senderName: string, body?: unknown): Posting<Receipt>
}

/**
 * Creatio's names on the server. In a process that has a channel they post to it; in any other they post over HTTP to
 * the server at `SERVERCHANNEL_URL`, with `SERVERCHANNEL_API_KEY`. Nothing here throws: a post that nobody awaits and
 * that fails is logged, one that is awaited rejects. Source: PARITY 1.1.
 *
 * @example Terrasoft.Configuration.MsgChannelUtilities.PostMessageToAll("SomeMessageId", "My message value");
 */
export const Terrasoft: {
  readonly Configuration: { readonly MsgChannelUtilities: MsgChannelUtilities }
  readonly Messaging: {
    readonly Common: {
      readonly MsgChannelManager: typeof MsgChannelManager
      readonly SimpleMessage: typeof SimpleMessage
    }
  }
} = {
  Messaging: { Common: { MsgChannelManager, SimpleMessage } },
  Configuration: {
    MsgChannelUtilities: {
      ProcessEngineSenderName: 'ProcessEngine',
      PostMessageToAll: (senderName, body) => post({ to: 'all', sender: senderName, body }),
      PostMessage: (userConnection, senderName, body) =>
        post({ to: { users: usersOf(userConnection) }, sender: senderName, body }),
    },
  },
}

let logger: Logger | undefined
const posters = new Map<string, HttpPoster>()

function post(message: Post): Posting<Receipt> {
  try {
    return taker().post(message)
  } catch (error) {
    return new Posting(Promise.reject(error instanceof Error ? error : new Error(String(error))), (unobserved) => {
      log().warn({ err: unobserved, sender: message.sender }, 'A message was not posted')
    })
  }
}

/** The process's channel, else the server that the environment names. Read at each post, so that either may come late. */
function taker(): MessageTaker {
  const channel = currentChannel()
  if (channel) return channel
  const { SERVERCHANNEL_URL: url, SERVERCHANNEL_API_KEY: apiKey } = process.env
  if (!url) {
    throw new ChannelError(
      'no_channel',
      'This process has no channel. Call createServerChannel(), or set SERVERCHANNEL_URL (and SERVERCHANNEL_API_KEY) to the server that has one.',
    )
  }
  const name = JSON.stringify([url, apiKey])
  let poster = posters.get(name)
  if (!poster) {
    poster = new HttpPoster({ url, logger: log(), ...(apiKey ? { apiKey } : {}) })
    posters.set(name, poster)
  }
  return poster
}

function usersOf(userConnection: UserConnection): string | Iterable<string> {
  if (typeof userConnection === 'object' && userConnection !== null && 'CurrentUser' in userConnection) {
    return userConnection.CurrentUser.Id
  }
  return userConnection
}

function log(): Logger {
  logger ??= pino({ name: 'serverchannel', level: 'warn', base: null }, pino.destination(2))
  return logger
}
