import { type Channel, connectBy } from './connect.ts'
import type { ConnectOptions } from './options.ts'
import { shareSource } from './tabs/share-source.ts'

export type { Channel } from './connect.ts'

/** As {@link ConnectOptions}. With a codec, a WebSocket class or a fetch of its own, a tab has a connection of its own. */
export interface SharedConnectOptions<Contract = unknown> extends ConnectOptions<Contract> {
  /** Whether to share one connection with the browser's other tabs. Default true. */
  readonly share?: boolean | undefined
  /**
   * The script of the `SharedWorker`, of this page's origin. Default: `shared-worker.js` beside the hub, where the server
   * has it. `false`: none; one of the tabs has the connection.
   */
  readonly workerUrl?: string | false | undefined
}

/**
 * {@link connect} with one connection for all tabs of the browser, whatever number of them is open: in a `SharedWorker`,
 * or, where there is none, in one of the tabs. What each of them gets, and when, is as with a connection of its own.
 *
 * @throws TypeError where the url or an option is none.
 *
 * @example
 * import { connect } from '@serverchannel/client/tabs'
 * const channel = connect('/msg')
 */
export function connect<Contract = unknown>(
  url = '/msg',
  { share = true, workerUrl, ...options }: SharedConnectOptions<Contract> = {},
): Channel<Contract> {
  const { codec, WebSocket, fetch } = options
  // Those can't be taken to another context.
  const isShared = share && !codec && !WebSocket && !fetch
  return connectBy(url, options, isShared ? (own) => shareSource(own, workerUrl) : undefined)
}
