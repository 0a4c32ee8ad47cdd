import { Channel } from './channel.ts'
import { openConnectionSource } from './connection-source.ts'
import { resolveHubUrl } from './hub-url.ts'
import { type ConnectOptions, createSettings } from './options.ts'
import type { TransportChoice } from './transports/transport.ts'
import { webSocket } from './transports/websocket.ts'

export type { Message, MessageHeader } from '@serverchannel/protocol'
export type { Channel } from './channel.ts'
export { ChannelError, type ChannelErrorCode } from './channel-error.ts'

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
  options: Omit<ConnectOptions<Contract>, 'transports' | 'keepPosition' | 'whenHidden' | 'development'> = {},
): Channel<Contract> {
  const settings = createSettings(options)
  const hub = resolveHubUrl(url)
  const { environment, position } = settings
  return new Channel({
    openSource: (listener) => openConnectionSource(hub, settings, { choice }, listener),
    environment,
    position,
  })
}

const choice: TransportChoice = { next: () => webSocket, worked() {}, failed: () => false, anotherNetwork() {} }
