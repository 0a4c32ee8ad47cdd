import { createRequire } from 'node:module'
import { compileReference, hasReference } from './compiler.ts'
import { aroundBody, type Contender, channelClient, httpPost, socketIoClient } from './contender.ts'
import { freePortPair } from './free-ports.ts'
import { peers } from './peers.ts'
import { type ServerProcess, startNodeServer, startQuietServer } from './server-process.ts'
import { createMessage, signalRFrame } from './servers/envelope.ts'

export const OURS = 'serverchannel'
/** Beside the package that gives the kernel a turn in one call. */
export const OURS_NATIVE: string = `${OURS}-native`
/** Of a target that was named before. */
export const NATIVE = 'the same with the native package'
export const WS_LOOP = 'ws-loop'
export const SOCKET_IO = 'socket-io'
export const C_LIMIT = 'c-limit'
export const C_COALESCED = 'c-coalesced'

const LINES_PER_REQUEST = 8

const ours: Contender = {
  name: OURS,
  title: 'ServerChannel: memory store, history, everything that is on by default',
  start: (core) => startNodeServer('serverchannel', core),
  driverOptions: (server) => ({ ...channelClient, ...httpPost(server) }),
}

const oursNative: Contender = {
  ...ours,
  name: OURS_NATIVE,
  title: 'the same with `@serverchannel/native` installed',
  missing: () =>
    isNativeBuilt() ? undefined : '@serverchannel/native was not built (node packages/native/build.js says why)',
  start: (core) => startNodeServer(OURS_NATIVE, core),
}

/** What a poster does that has many at once. */
const oursInLines: Contender = {
  name: `${OURS}-ndjson`,
  title: `the same, ${LINES_PER_REQUEST} messages in a request as NDJSON`,
  start: ours.start,
  driverOptions: (server) => ({
    ...channelClient,
    ...httpPost(server),
    postBatch: LINES_PER_REQUEST,
    postType: 'application/x-ndjson',
  }),
}

const wsLoop: Contender = {
  name: WS_LOOP,
  title: '`ws`, a loop of `ws.send(text)`: no history, no positions kept',
  start: (core) => startNodeServer('ws-loop', core),
  driverOptions: (server) => ({ ...channelClient, ...httpPost(server) }),
}

const socketIo: Contender = {
  name: SOCKET_IO,
  title: 'Socket.IO, `io.emit`, WebSocket only',
  start: (core) => startNodeServer('socket-io', core),
  driverOptions: (server) => ({ ...socketIoClient, ...httpPost(server) }),
}

const cLimit: Contender = {
  name: C_LIMIT,
  title: 'C, one `send` for each connection: what the kernel allows on one core',
  ...cServer('naive'),
}

const cCoalesced: Contender = {
  name: C_COALESCED,
  title: 'C, one `send` for each connection and turn, of all messages that have come: what the kernel allows in bursts',
  ...cServer('coalesce'),
}

/** One message at a time. */
export const singleServers: readonly Contender[] = [ours, oursNative, wsLoop, socketIo, cLimit, ...peers]
/** Many at once. */
export const burstServers: readonly Contender[] = [
  ours,
  oursNative,
  oursInLines,
  wsLoop,
  socketIo,
  cCoalesced,
  ...peers,
]
/** Without the peers, which have their own protocols. */
export const latencyServers: readonly Contender[] = [ours, oursNative, wsLoop, socketIo, cLimit, cCoalesced]

function isNativeBuilt(): boolean {
  try {
    createRequire(import.meta.url)('@serverchannel/native')
    return true
  } catch {
    return false
  }
}

function cServer(mode: 'naive' | 'coalesce'): Pick<Contender, 'missing' | 'start' | 'driverOptions'> {
  return {
    missing: () => (hasReference('cbcast') ? undefined : 'the C server cbcast.c is not here (../shared/bench)'),
    start: (core) => startCServer(mode, core),
    driverOptions: (server) => ({
      postRaw: server.postPort,
      ...aroundBody((body) => signalRFrame({ ...createMessage('bench', body), Position: 'bench-epoch0:100' })),
    }),
  }
}

/** It takes two neighbouring ports: for clients, and for lines to send. */
async function startCServer(mode: 'naive' | 'coalesce', core: number | undefined): Promise<ServerProcess> {
  const program = compileReference('cbcast') ?? ''
  const port = await freePortPair()
  return startQuietServer({ program, programArgs: [mode, String(port)], port, postPort: port + 1 }, core)
}
