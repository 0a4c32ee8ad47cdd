import type { Channel as WholeChannel } from './channel.ts'
import { createChannel } from './create-channel.ts'
import type { ConnectOptions } from './options.ts'
import { webSocket } from './transports/websocket.ts'

export type { Message, MessageHeader } from '@serverchannel/protocol'
export { ChannelError, type ChannelErrorCode } from './channel-error.ts'

/** A channel that only listens. */
export type Channel<Contract = unknown> = Omit<WholeChannel<Contract>, 'invoke' | 'sendMessage' | 'stream'>

/**
 * The small `connect`: over WebSockets only, for pages that only listen. All else is as in `@serverchannel/client`, but that
 * nothing is kept over a reload.
 *
 * @throws TypeError where the url or an option is none.
 *
 * @example
 * const channel = connect('/msg')
 * channel.on('OrderChanged', (body) => refresh(body))
 */
export function connect<Contract = unknown>(
  url = '/msg',
  options: Omit<ConnectOptions<Contract>, 'transports' | 'keepPosition'> = {},
): Channel<Contract> {
  return createChannel(url, options, { transports: [webSocket] })
}
