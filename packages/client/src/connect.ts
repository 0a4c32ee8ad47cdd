import { Channel } from './channel.ts'
import type { ConnectOptions } from './options.ts'

export type { Channel } from './channel.ts'

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
export function connect(url = '/msg', options: ConnectOptions = {}): Channel {
  return new Channel(url, options)
}
