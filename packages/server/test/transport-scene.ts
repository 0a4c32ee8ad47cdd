import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Codec, jsonCodec } from '@serverchannel/protocol'
import { pino } from 'pino'
import { Channel } from '../src/channel/channel.ts'
import { ChannelError } from '../src/channel/channel-error.ts'
import type { Clock } from '../src/channel/clock.ts'
import { attachTo } from '../src/http/attachment.ts'
import { Routes } from '../src/http/routes.ts'
import { ChannelHub } from '../src/hub/channel-hub.ts'
import type { Hub } from '../src/hub/hub.ts'
import { HubConnection } from '../src/hub/hub-connection.ts'
import { Roster } from '../src/hub/roster.ts'
import type { ServedConnectionInit } from '../src/hub/served-connection.ts'
import { TurnWriter } from '../src/hub/turn-writer.ts'
import { parseOrigins } from '../src/option-checks.ts'
import { type Authenticate, type DirectWrites, type Limits, resolveLimits } from '../src/options.ts'
import { MemoryStore } from '../src/stores/memory.ts'
import { Endpoint } from '../src/transports/endpoint.ts'
import { eventStreamCodec } from '../src/transports/event-stream-codec.ts'
import { allTransports } from '../src/transports/negotiate.ts'
import { SocketWriter } from '../src/transports/socket-writer.ts'
import { createChannelCalls } from './channel-calls.ts'
import { FakeClock } from './fake-clock.ts'
import { until } from './until.ts'

export interface TransportSceneOptions {
  readonly limits?: Partial<Limits>
  readonly allowedOrigins?: readonly string[]
  /** Default: JSON. */
  readonly codecs?: readonly Codec[]
  /** Default: `Authorization: Bearer NAME`, or `access_token=NAME`, is the user NAME; without it, nobody in particular. */
  readonly authenticate?: Authenticate
  /** Default: auto, and it is waited for. */
  readonly directWrites?: DirectWrites
}

/** A channel behind a real http server on a port of its own. Sockets and turns of the loop are real, time is not. */
export interface TransportScene {
  /** Of the hub. */
  readonly url: string
  readonly port: number
  readonly channel: Channel
  readonly connectionCount: number
  readonly clock: FakeClock
  readonly limits: Limits
  /** What shook hands, in that order; what is gone again too. */
  readonly connections: readonly HubConnection[]
  /** Posts a message to all, and lets the loop turn, in which it is written. */
  post(body: unknown): Promise<void>
  /** The newest connection, once there are so many. */
  connected(count: number): Promise<HubConnection>
  /** Ends all connections as a server does that goes down. */
  shutDown(): Promise<void>
  /** Once no connection is left. */
  emptied(): Promise<void>
  close(): Promise<void>
}

export async function openTransportScene(options: TransportSceneOptions = {}): Promise<TransportScene> {
  const limits = resolveLimits({ closeTimeoutMs: 100, ...options.limits })
  const time = new FakeClock()
  const clock = withRealTurns(time)
  let ids = 0
  const store = new MemoryStore({ ...limits, epoch: 'epoch-1', now: () => clock.now() })
  const channel = new Channel({ store, clock, limits, createId: () => `message-${++ids}` })
  const access = { development: false, allowsOrigin: parseOrigins(options.allowedOrigins) }
  const logger = pino({ level: 'silent' })
  const connections: HubConnection[] = []
  const roster = new Roster(limits, clock)
  const { methods } = createChannelCalls({ channel, limits, clock })
  const made = new Map<string, HubConnection>()
  const hub = recordConnections(new ChannelHub(channel, methods), made, connections)
  const codecs = options.codecs ?? [jsonCodec]
  const parts = { hub, codecs, limits, clock, turnWriter: new TurnWriter(clock), detailedErrors: false }
  const keep = (connection: HubConnection): HubConnection => {
    made.set(connection.id, connection)
    return connection
  }
  const socketWriter = new SocketWriter(options.directWrites ?? 'auto')
  await socketWriter.way
  const endpoint = new Endpoint({
    requireAllowed: () => {},
    serve: (init: ServedConnectionInit) => keep(new HubConnection(init, parts)),
    serveEvents: (init: ServedConnectionInit) => keep(new HubConnection(init, parts, eventStreamCodec)),
    keepsRequest: false,
    transports: allTransports,
    isStatefulAllowed: true,
    isRefreshAllowed: true,
    roster,
    limits,
    access,
    authenticate: options.authenticate ?? byName,
    clock,
    logger,
    socketWriter,
    createId: () => `connection-${String(++ids).padStart(11, '0')}`,
  })
  const shutDown = (): Promise<void> => {
    endpoint.close()
    return roster.close(new ChannelError('server_shutdown', 'The server is going down; connect again.'))
  }
  await channel.open()
  const server = createServer((_, response) => response.writeHead(404).end())
  const endpoints = { isDraining: false, at: (path: string) => (path === '/msg' ? endpoint : undefined) }
  const apiPath = '/api/messages'
  const degraded = (): undefined => undefined
  attachTo(server, new Routes({ channel, endpoints, limits, access, logger, apiPath, mayPost: undefined, degraded }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/msg`,
    port,
    channel,
    get connectionCount() {
      return roster.count
    },
    clock: time,
    limits,
    connections,
    emptied: () => until(() => roster.count === 0, 'no connection is left'),
    async post(body) {
      await channel.post([{ sender: 'Test', body }])
      await new Promise(setImmediate)
    },
    async connected(count) {
      await until(() => connections.length >= count, `there are ${count} connections`)
      const connection = connections[count - 1]
      if (!connection) throw new Error('There is no connection')
      return connection
    },
    shutDown,
    close: () => closeAll(server, { roster, shutDown }, channel, time),
  }
}

async function closeAll(
  server: Server,
  { roster, shutDown }: { readonly roster: Roster; readonly shutDown: () => Promise<void> },
  channel: Channel,
  time: FakeClock,
): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  const left = shutDown()
  server.closeAllConnections()
  await until(() => {
    // Who polls no more is given up in time.
    time.advance(1000)
    return roster.count === 0
  }, 'all connections are gone')
  await left
  await channel.close()
  await closed
}

function recordConnections(hub: Hub, made: ReadonlyMap<string, HubConnection>, connections: HubConnection[]): Hub {
  return {
    onConnected(peer) {
      const connection = made.get(peer.id)
      if (connection) connections.push(connection)
      return hub.onConnected(peer)
    },
  }
}

function withRealTurns(time: FakeClock): Clock {
  return {
    now: () => time.now(),
    soon: (run) => void setImmediate(run),
    every: (intervalMs, run) => time.every(intervalMs, run),
    after: (delayMs, run) => time.after(delayMs, run),
  }
}

const byName: Authenticate = (request) => {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  const user = bearer ?? new URLSearchParams(request.url?.split('?')[1] ?? '').get('access_token')
  return user ? { user } : {}
}
