import type { HubContract } from '@serverchannel/protocol'
import type { Clock } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import { ClientSession } from './client-session.ts'
import type { HubSession } from './hub.ts'
import { createHubClients, deliver, type HubClients } from './hub-clients.ts'
import type { HubDefinition } from './hub-definition.ts'
import { HubDirectory } from './hub-directory.ts'
import { createHubGroups, type HubGroups } from './hub-groups.ts'
import type { HubPeer } from './hub-peer.ts'
import { type LocalClients, noRemoteClients, type RemoteClients } from './remote-clients.ts'
import type { SessionParts } from './session-parts.ts'

export interface HubRuntimeParts {
  readonly clock: Clock
  readonly limits: Limits
  /** Told of each error of the application's code that no HubException said to the client. What it throws is dropped. */
  readonly onError: (error: unknown, where: string) => void
  /** The hub's clients at other nodes. Left out: there are none. */
  readonly remote?: RemoteClients
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
  /** Those at this node, as other nodes reach them. */
  readonly local: LocalClients
  readonly #directory: HubDirectory
  readonly #parts: SessionParts
  #invocationCount = 0

  constructor(definition: HubDefinition<Contract>, parts: HubRuntimeParts) {
    const { clock, limits, remote = noRemoteClients } = parts
    const directory = new HubDirectory(limits.connectionGroupsMax)
    const report = (error: unknown, where: string): void => {
      try {
        parts.onError(error, where)
      } catch {
        // There is nobody left to tell.
      }
    }
    this.#directory = directory
    this.clients = createHubClients({ directory, remote, timeoutMs: limits.clientResultTimeoutMs })
    this.groups = createHubGroups(directory, remote, (error) => report(error, 'groups'))
    this.local = {
      send: (audience, target, args) => deliver(directory, audience, target, args),
      invoke: (id, target, args, options) => directory.get(id)?.invoke(target, args, options),
      setGroup: (id, group, isIn) => (isIn ? directory.join(id, group) : directory.leave(id, group)),
    }
    this.#parts = {
      // What the contract says of methods and clients was checked where they are written; from here on it is of no matter.
      definition: definition,
      clients: this.clients,
      directory,
      groups: this.groups,
      limits,
      clock,
      createInvocationId: () => `s${++this.#invocationCount}`,
      report,
    }
  }

  get connectionCount(): number {
    return this.#directory.count
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
