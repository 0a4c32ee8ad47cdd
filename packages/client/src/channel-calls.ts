import type { CallOptions, MessageSource } from './source.ts'

/** What {@link ChannelCalls.sendMessage} can be told. */
export interface SendOptions extends CallOptions {
  /**
   * How the message is meant to be addressed, for the server's policy to judge. Creatio's: `PTPMsg` to the user's own
   * pages, `BroadcastMsg` to everybody, `ServerMsg` to the server.
   */
  readonly channelType?: string | undefined
  /** The body's type by the page's own naming. */
  readonly bodyTypeName?: string | undefined
}

/** What a page can have its server do over the channel. */
export interface ChannelCalls {
  /**
   * Sends a message: to the user's own pages, to others, or to the server, as the server's `clientMessagePolicy` says.
   * Waits for a connection; resolves when the server has taken it. Rejects with a {@link ChannelError}: `call_failed`
   * with the server's code in its text (`message_refused` where no policy lets it pass), or `connection_lost`, where
   * nobody knows whether it was taken.
   *
   * @example
   * await channel.sendMessage('Draft', { id: 7 }, { channelType: 'PTPMsg' })
   */
  sendMessage(sender: string, body?: unknown, options?: SendOptions): Promise<void>

  /**
   * Calls a method of the channel's hub and resolves with its answer. Waits for a connection. Rejects with a
   * {@link ChannelError}, `call_failed` or `connection_lost`, or with the signal's reason, which the server is told of.
   *
   * @example
   * await channel.invoke('Ping') // 'Pong!'
   */
  invoke(method: string, args?: readonly unknown[], options?: CallOptions): Promise<unknown>

  /**
   * Calls a streaming method of the channel's hub, when the first item is asked for; for a `for await` loop. To leave the
   * loop ends the stream on the server.
   *
   * @example
   * for await (const line of channel.stream('Tail', ['orders.log'], { signal })) show(line)
   */
  stream(method: string, args?: readonly unknown[], options?: CallOptions): AsyncIterableIterator<unknown>
}

/**
 * @param channel waits until it is open
 * @throws TypeError where the source has no calls
 */
export function createChannelCalls(
  channel: { ready(options: CallOptions): Promise<void> },
  { calls }: Pick<MessageSource, 'calls'>,
): ChannelCalls {
  if (!calls) throw new TypeError('This source of messages has no calls.')
  const invoke: ChannelCalls['invoke'] = async (method, args = [], options = {}) => {
    await channel.ready(options)
    return calls.invoke(method, args, options)
  }
  return {
    invoke,
    async sendMessage(sender, body, { channelType, bodyTypeName, signal } = {}) {
      // What is undefined is not written.
      const Header = { Sender: sender, ChannelType: channelType, BodyTypeName: bodyTypeName }
      await invoke('SendMessage', [{ Header, Body: body }], { signal })
    },
    async *stream(method, args = [], options = {}) {
      await channel.ready(options)
      yield* calls.stream(method, args, options)
    },
  }
}
