import type { Receipt } from './channel/channel.ts'
import type { Post } from './channel/intake.ts'
import type { Posting } from './channel/posting.ts'
import type { ClientMessageReceiver, ReceiverOptions } from './hub/client-messages.ts'

/** Whoever takes posts in this process: a channel, or a poster that sends them to a server. */
export interface MessageTaker {
  post(post: Post): Posting<Receipt>
}

/** A channel of this process. */
export interface LocalChannel extends MessageTaker {
  isOnline(user: string): boolean
  presence(): ReadonlyMap<string, number>
  onClientMessage(receiver: ClientMessageReceiver, options?: ReceiverOptions): () => void
}

const channels: LocalChannel[] = []

/** The channel that code without a reference to one posts to: the oldest that is open. Undefined: this process has none. */
export function currentChannel(): LocalChannel | undefined {
  return channels[0]
}

export function addCurrentChannel(channel: LocalChannel): void {
  channels.push(channel)
}

export function removeCurrentChannel(channel: LocalChannel): void {
  const index = channels.indexOf(channel)
  if (index !== -1) channels.splice(index, 1)
}
