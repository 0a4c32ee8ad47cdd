import type { HubContract } from '@serverchannel/protocol'
import { jsonCodec } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import type { Logger } from 'pino'
import type { AccessOptions } from './auth/access.ts'
import type { Channel } from './channel/channel.ts'
import type { Clock } from './channel/clock.ts'
import { ChannelHub } from './hub/channel-hub.ts'
import type { ChannelContract } from './hub/channel-methods.ts'
import type { Hub } from './hub/hub.ts'
import type { HubClients } from './hub/hub-clients.ts'
import { HubConnection } from './hub/hub-connection.ts'
import type { HubDefinition } from './hub/hub-definition.ts'
import type { HubGroups } from './hub/hub-groups.ts'
import { HubRuntime } from './hub/hub-runtime.ts'
import { ServedRawConnection, type ServeRaw } from './hub/raw-connection.ts'
import { type LocalClients, noRemoteClients, type RemoteClients } from './hub/remote-clients.ts'
import type { Roster } from './hub/roster.ts'
import type { ServedConnectionInit } from './hub/served-connection.ts'
import { TurnWriter } from './hub/turn-writer.ts'
import { parsePath } from './option-checks.ts'
import {
  type Authenticate,
  type Limits,
  type RedirectClient,
  resolveLimits,
  type ServerChannelOptions,
} from './options.ts'
import { Endpoint, type EndpointParts } from './transports/endpoint.ts'
import { eventStreamCodec } from './transports/event-stream-codec.ts'
import type { HandOver } from './transports/hand-over.ts'
import { allTransports, type TransportName } from './transports/negotiate.ts'
import type { Nodes } from './transports/nodes.ts'
import { rawJsonCodec } from './transports/raw-json-codec.ts'
import { RecordTransport } from './transports/record-transport.ts'
import type { SocketWriter } from './transports/socket-writer.ts'

/** How a hub, or what is below hubs, is served. */
export interface MapOptions {
  /** Which transports may carry its connections. Default: all. */
  readonly transports?: readonly TransportName[]
  /** Whether a client whose network breaks may go on where it was, if it asks for that. Default true; of a hub only. */
  readonly statefulReconnect?: boolean
  /** Whether clients may show newer credentials while they are connected, at `{path}/refresh`. Default true. */
  readonly authenticationRefresh?: boolean
  /** Who its clients are. Default: as the server's own option says. */
  readonly authenticate?: Authenticate
  /** Sends clients to another server when they negotiate. */
  readonly redirect?: RedirectClient
  /** Bounds that are other than the server's. Those of the whole process and of the log can't be. */
  readonly limits?: Partial<Limits>
}

/** A hub as it is served. */
export interface MappedHub<Contract extends HubContract> {
  /** For those who are no client of the hub. */
  readonly clients: HubClients<Contract['client']>
  readonly groups: HubGroups
  readonly connectionCount: number
}

export interface EndpointsParts {
  readonly options: ServerChannelOptions
  readonly roster: Roster
  readonly access: AccessOptions
  readonly authenticate: Authenticate
  /** Throws where the user must stay away. */
  readonly requireAllowed: (user: string | undefined) => void
  /** The clients that the hub at the path has at other nodes. */
  readonly remoteClients: (path: string) => RemoteClients
  readonly clock: Clock
  readonly logger: Logger
  readonly createId: () => string
  readonly socketWriter: SocketWriter
  /** The other nodes; undefined where this is the only one. */
  readonly nodes: Nodes | undefined
}

const codecs = [jsonCodec, messagePackCodec]

/** Everything that is served at a path of its own: the channel, hubs, raw connections. */
export class Endpoints {
  readonly #parts: EndpointsParts
  readonly #turnWriter: TurnWriter
  readonly #byPath = new Map<string, Endpoint>()
  readonly #hubs = new Map<string, LocalClients>()
  #isClosed = false
  #isDraining = false

  constructor(parts: EndpointsParts) {
    this.#parts = parts
    this.#turnWriter = new TurnWriter(parts.clock)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether it is about to take no more clients. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** From now on it says that it is not ready, and still takes whoever comes. */
  drain(): void {
    this.#isDraining = true
  }

  /** @param path in lower case */
  at(path: string): Endpoint | undefined {
    return this.#byPath.get(path)
  }

  /**
   * @param methods what the channel's clients can call
   * @param handOver other processes that serve its WebSockets
   * @returns the methods as they run
   */
  mapChannel(
    path: string,
    channel: Channel,
    methods: HubDefinition<ChannelContract>,
    handOver: HandOver | undefined,
  ): Hub {
    const limits = this.#limits({})
    const runtime = this.#createRuntime(methods, limits)
    const hub = new ChannelHub(channel, runtime)
    const parts = { hub, codecs, limits, clock: this.#parts.clock, turnWriter: this.#turnWriter, detailedErrors: false }
    const { redirect } = this.#parts.options
    this.#map('path', path, redirect ? { redirect } : {}, limits, {
      handOver,
      keepsRequest: false,
      serve: (init) => new HubConnection(init, parts),
      serveEvents: (init) => new HubConnection(init, parts, eventStreamCodec),
    })
    return runtime
  }

  /** The channel without SignalR, on plain WebSockets: see `rawJsonCodec`. */
  mapRawChannel(path: string, channel: Channel, methods: HubDefinition<ChannelContract>): void {
    const limits = this.#limits({})
    const hub = new ChannelHub(channel, this.#createRuntime(methods, limits))
    const parts = { hub, codecs, limits, clock: this.#parts.clock, turnWriter: this.#turnWriter, detailedErrors: false }
    const options = { transports: ['WebSockets'], statefulReconnect: false, authenticationRefresh: false } as const
    this.#map('rawPath', path, options, limits, {
      keepsRequest: false,
      serve: (init) => new HubConnection(init, parts, rawJsonCodec, new RecordTransport(init.transport)),
    })
  }

  mapHub<Contract extends HubContract>(
    path: string,
    definition: HubDefinition<Contract>,
    options: MapOptions,
  ): MappedHub<Contract> {
    const limits = this.#limits(options)
    const lowerPath = parsePath('path of the hub', path)
    const hub = this.#createRuntime(definition, limits, this.#parts.remoteClients(lowerPath))
    const parts = {
      hub,
      codecs,
      limits,
      clock: this.#parts.clock,
      turnWriter: this.#turnWriter,
      detailedErrors: definition.detailedErrors,
    }
    this.#map('path of the hub', path, options, limits, {
      keepsRequest: true,
      serve: (init) => new HubConnection(init, parts),
    })
    this.#hubs.set(lowerPath, hub.local)
    return hub
  }

  mapConnections(path: string, serve: ServeRaw, options: MapOptions): void {
    const { clock, logger } = this.#parts
    const limits = this.#limits(options)
    const onError = (error: unknown): void => logger.error({ err: error, path }, 'A connection was not served')
    const parts = { serve, limits, onError, now: () => clock.now() }
    this.#map('path of the connections', path, { ...options, statefulReconnect: false }, limits, {
      keepsRequest: true,
      serve: (init: ServedConnectionInit) => new ServedRawConnection(init, parts),
    })
  }

  /** The clients at this node of the hub of one's own at the path, if there is one. @param path in lower case */
  hubAt(path: string): LocalClients | undefined {
    return this.#hubs.get(path)
  }

  /** Takes no more clients; those that are there are the roster's to close. Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const endpoint of this.#byPath.values()) endpoint.close()
  }

  /** Ends when no client has anything left to ask, or after so long. */
  async emptied(timeoutMs: number): Promise<void> {
    await Promise.all([...this.#byPath.values()].map((endpoint) => endpoint.emptied(timeoutMs)))
  }

  #limits({ limits }: MapOptions): Limits {
    return resolveLimits({ ...this.#parts.options, ...limits })
  }

  #createRuntime<Contract extends HubContract>(
    definition: HubDefinition<Contract>,
    limits: Limits,
    remote: RemoteClients = noRemoteClients,
  ): HubRuntime<Contract> & Hub {
    const { clock, logger } = this.#parts
    return new HubRuntime(definition, {
      clock,
      limits,
      remote,
      onError: (error, where) => logger.error({ err: error, method: where }, 'A hub failed'),
    })
  }

  #map(
    what: string,
    path: string,
    options: MapOptions,
    limits: Limits,
    served: Pick<EndpointParts, 'serve' | 'serveEvents' | 'keepsRequest' | 'handOver'>,
  ): void {
    const {
      transports = allTransports,
      statefulReconnect = true,
      authenticationRefresh = true,
      authenticate,
      redirect,
    } = options
    const lowerPath = parsePath(what, path)
    if (this.#byPath.has(lowerPath)) throw new TypeError(`There is something at '${path}' already.`)
    const endpoint = new Endpoint({
      ...this.#parts,
      ...served,
      transports,
      isStatefulAllowed: statefulReconnect,
      isRefreshAllowed: authenticationRefresh,
      limits,
      neighbours: this.#parts.nodes?.at(lowerPath, limits),
      authenticate: authenticate ?? this.#parts.authenticate,
      redirect,
    })
    if (this.#isClosed) endpoint.close()
    this.#byPath.set(lowerPath, endpoint)
  }
}
