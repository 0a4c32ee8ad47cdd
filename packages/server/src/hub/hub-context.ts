import type { HubContract } from '@serverchannel/protocol'
import type { Identity } from '../options.ts'
import type { CallerClients, SingleClient } from './hub-clients.ts'
import type { HubGroups } from './hub-groups.ts'
import type { HubRequest } from './hub-peer.ts'

/** What every method of a hub gets first: who calls, and whom it can call. */
export interface HubContext<Contract extends HubContract> {
  readonly connectionId: string
  /** The user id that the connection was authenticated with. */
  readonly user: string | undefined
  readonly identity: Identity
  /** The encoding that the client chose: `json` or `messagepack`. */
  readonly protocol: string
  /** The request that opened the connection's transport. */
  readonly request: HubRequest
  readonly clients: CallerClients<Contract['client']>
  /** The client that calls: `clients.caller`. */
  readonly caller: SingleClient<Contract['client']>
  readonly groups: HubGroups
  /** The application's own, kept as long as the connection lives. */
  readonly items: Map<string, unknown>
  /**
   * Aborted when the client cancels this call, or is gone; in `onConnected` and `onDisconnected`: when it is gone. A
   * listener of it must not throw: what it throws is thrown by Node, outside of anybody's reach.
   */
  readonly signal: AbortSignal
  /** Ends the connection; the client doesn't come back by itself (SIGNALR 2.10 C2). */
  readonly abort: () => void
}
