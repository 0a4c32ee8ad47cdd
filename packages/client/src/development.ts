import type { Message } from '@serverchannel/protocol'
import type { ChannelError } from './channel-error.ts'
import type { HandlerOptions } from './listeners.ts'

/** What looks on while a page is being developed. Made by {@link development}; a page in production has none. */
export interface Development {
  /** A channel is made; its contract is what it was given as `messages`. */
  onConnect(contract: unknown): void
  /** A handler is added, for one sender or for all. Returns what is to be told when it is taken off. */
  onListen(sender: string | undefined, handler: unknown, options: HandlerOptions | undefined): () => void
  /** A message is about to be handed out. */
  onMessage(message: Message, fail: (error: ChannelError) => void): void
}
