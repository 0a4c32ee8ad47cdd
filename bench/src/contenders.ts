import { compileReference, hasReference } from './compiler.ts'
import type { DriverOptions } from './driver.ts'
import { type ServerProcess, startCServer, startNodeServer } from './server-process.ts'
import { createMessage, signalRFrame } from './servers/envelope.ts'

/** One server of the table: how it is started, and how the driver speaks to it. */
export interface Contender {
  name: string
  /** What it is, for the reader of the table. */
  title: string
  start(core: number | undefined): Promise<ServerProcess>
  driverOptions(server: ServerProcess): Partial<DriverOptions>
}

export const OURS = 'serverchannel'
export const BODY_BYTES = 100

const contenders: readonly Contender[] = [
  {
    name: OURS,
    title: 'ServerChannel: memory store, history, everything that is on by default',
    start: (core) => startNodeServer(OURS, core),
    driverOptions: (server) => ({ ...signalR, ...httpPost(server) }),
  },
  {
    name: 'ws-loop',
    title: '`ws`, a loop of `ws.send(text)`: no history, no positions kept',
    start: (core) => startNodeServer('ws-loop', core),
    driverOptions: (server) => ({ ...signalR, ...httpPost(server) }),
  },
  {
    name: 'socket-io',
    title: 'Socket.IO, `io.emit`, WebSocket only',
    start: (core) => startNodeServer('socket-io', core),
    driverOptions: (server) => ({
      path: '/socket.io/?EIO=4&transport=websocket',
      hello: '40',
      ready: '40',
      pingText: '2',
      pongText: '3',
      ...httpPost(server),
    }),
  },
  {
    name: 'c-limit',
    title: 'C, one `send` for each connection: what the kernel allows on one core',
    start: (core) => startCServer(compileReference('cbcast') ?? '', core),
    driverOptions: (server) => ({
      postRaw: server.postPort,
      ...around(signalRFrame({ ...createMessage('bench', BODY), Position: 'bench-epoch0:100' })),
    }),
  },
]

/** Those that can run here, ours first. */
export function availableContenders(): readonly Contender[] {
  return contenders.filter((contender) => contender.name !== 'c-limit' || hasReference('cbcast'))
}

const signalR: Partial<DriverOptions> = {
  path: '/msg',
  hello: '{"protocol":"json","version":1}\x1e',
  ready: '{}\x1e',
  keepalive: '{"type":6}\x1e',
}

/** Stands in a post where the driver puts its payload. */
const BODY = '|'

function httpPost(server: ServerProcess): Partial<DriverOptions> {
  return { postHttp: server.postPort, ...around(JSON.stringify({ sender: 'bench', body: BODY })) }
}

function around(post: string): { postBefore: string; postAfter: string } {
  const at = post.indexOf(BODY)
  return { postBefore: post.slice(0, at), postAfter: post.slice(at + BODY.length) }
}
