import type { BodyOf, Message, SenderOf } from '@serverchannel/protocol'
import type { Channel } from './channel.ts'
import { ChannelError } from './channel-error.ts'
import type { ListenOptions } from './listeners.ts'

/** Waiting for one message. */
export interface Once<Contract> {
  /**
   * Resolves with the next message of this sender. Rejects with the signal's reason, or with a {@link ChannelError} where
   * the channel is closed before.
   *
   * @example
   * const { Body } = await channel.once('ImportEnded', { signal: AbortSignal.timeout(60_000) })
   */
  once<Sender extends SenderOf<Contract>>(
    sender: Sender,
    options?: ListenOptions,
  ): Promise<Message<BodyOf<Contract, Sender>>>
  once(sender: string, options?: ListenOptions): Promise<Message>
}

export function createOnce<Contract>(channel: Channel<Contract>): Once<Contract> {
  return {
    async once(sender: string, { signal }: ListenOptions = {}) {
      const messages = channel.messages<never>(sender, { signal, max: 1 })
      const { value } = await messages.next()
      void messages.return?.()
      if (value) return value
      throw signal?.aborted ? signal.reason : new ChannelError('channel_closed', 'The channel was closed.')
    },
  }
}
