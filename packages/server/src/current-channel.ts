import type { Receipt } from './channel/channel.ts'
import type { Post } from './channel/intake.ts'
import type { Posting } from './channel/posting.ts'

/** Whoever takes posts in this process: a channel, or a poster that sends them to a server. */
export interface MessageTaker {
  post(post: Post): Posting<Receipt>
}

const channels: MessageTaker[] = []

/** The channel that code without a reference to one posts to: the oldest that is open. Undefined: this process has none. */
export function currentChannel(): MessageTaker | undefined {
  return channels[0]
}

export function addCurrentChannel(channel: MessageTaker): void {
  channels.push(channel)
}

export function removeCurrentChannel(channel: MessageTaker): void {
  const index = channels.indexOf(channel)
  if (index !== -1) channels.splice(index, 1)
}
