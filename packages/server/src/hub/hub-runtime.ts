import type { HubContract } from '@serverchannel/protocol'
import type { Audience } from '../channel/audience.ts'
import type { Clock } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import { ClientSession } from './client-session.ts'
import type { HubSession } from './hub.ts'
import { createHubClients, deliver, type HubClients, type RelayCall } from './hub-clients.ts'
import type { HubDefinition } from './hub-definition.ts'
import { HubDirectory } from './hub-directory.ts'
import { createHubGroups, type HubGroups } from './hub-groups.ts'
import type { HubPeer } from './hub-peer.ts'
import type { SessionParts } from './session-parts.ts'

export interface HubRuntimeParts {
  readonly clock: Clock
  readonly limits: Limits
  /** Told of each error of the application's code that no HubException said to the client. What it throws is dropped. */
  readonly onError: (error: unknown, where: string) => void
  /** Passes calls on to other nodes. Left out: there are none. */
  readonly relay?: RelayCall
}

/**
 * Serves a hub: the calls, streams and answers of its clients, at this node. It has no sockets and no timer of its own,
 * and nothing that the application's methods do or throw leaves it.
 *
 * @example
 * const runtime = new HubRuntime(chat, { clock, limits, onError: (err, where) => logger.error({ err, where }, 'hub') })
 * runtime.clients.group('sales').send('Said', 'server', 'hello')
 */
export class HubRuntime<Contract extends HubContract> {
  /** For those who are no client of the hub. */
  readonly clients: HubClients<Contract['client']>
  readonly groups: HubGroups
  readonly #directory: HubDirectory
  readonly #parts: SessionParts
  #invocationCount = 0

  constructor(definition: HubDefinition<Contract>, { clock, limits, onError, relay = () => {} }: HubRuntimeParts) {
    this.#directory = new HubDirectory(limits.connectionGroupsMax)
    this.clients = createHubClients(this.#directory, relay)
    this.groups = createHubGroups(this.#directory)
    this.#parts = {
      // What the contract says of methods and clients was checked where they are written; from here on it is of no matter.
      definition: definition,
      clients: this.clients,
      directory: this.#directory,
      groups: this.groups,
      limits,
      clock,
      createInvocationId: () => `s${++this.#invocationCount}`,
      report: (error, where) => {
        try {
          onError(error, where)
        } catch {
          // There is nobody left to tell.
        }
      },
    }
  }

  get connectionCount(): number {
    return this.#directory.count
  }

  /** Another node calls those clients of the hub that are here. */
  relayed(audience: Audience, target: string, args: readonly unknown[]): void {
    deliver(this.#directory, audience, target, args)
  }

  /** A client has shaken hands. */
  onConnected(peer: HubPeer): HubSession {
    const session = new ClientSession(peer, this.#parts)
    this.#directory.add(session)
    for (const group of peer.identity.groups ?? []) this.#directory.join(peer.id, group)
    void session.connect()
    return session
  }
}
