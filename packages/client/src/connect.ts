import { createCalls } from './calls.ts'
import type { Channel } from './channel.ts'
import { createChannel } from './create-channel.ts'
import { keepPosition } from './kept-position.ts'
import type { ConnectOptions } from './options.ts'
import { longPolling } from './transports/long-polling.ts'
import { serverSentEvents } from './transports/server-sent-events.ts'
import { webSocket } from './transports/websocket.ts'

/**
 * Opens a channel to the server's hub, in the background: handlers can be added at once, and it stays connected, over
 * any number of lost connections, until it is closed.
 *
 * @param url of the hub; relative to the page, `http` or `ws`. Its query is kept. Default `/msg`.
 * @throws TypeError where the url or an option is none.
 *
 * @example
 * const channel = connect('/msg')
 * channel.on('OrderChanged', (body) => refresh(body))
 */
export function connect<Contract = unknown>(url = '/msg', options: ConnectOptions<Contract> = {}): Channel<Contract> {
  return createChannel(url, options, {
    transports: [webSocket, serverSentEvents, longPolling],
    createCalls,
    keepPosition,
  })
}
