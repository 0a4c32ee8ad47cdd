import type { DriverOptions } from './driver.ts'
import type { ServerProcess } from './server-process.ts'

/** One line of a table: a server, how it is started, and how the driver speaks to it. */
export interface Contender {
  readonly name: string
  /** What it is, for the reader of the table. */
  readonly title: string
  /** Why it is not here, and how to get it; left out: it always is. */
  readonly missing?: () => string | undefined
  readonly start: (core: number | undefined) => Promise<ServerProcess>
  readonly driverOptions: (server: ServerProcess, connections: number) => Partial<DriverOptions>
}

/** Of the text in each message and each call. */
export const BODY_BYTES = 100

const SEPARATOR = '\x1e'

/** A client of the channel, in JSON over WebSockets where nothing else is said. */
export const channelClient: Partial<DriverOptions> = {
  path: '/msg',
  hello: `{"protocol":"json","version":1}${SEPARATOR}`,
  ready: `{}${SEPARATOR}`,
  keepalive: `{"type":6}${SEPARATOR}`,
}

/** What differs where a client asks for MessagePack: all that it sends is binary. */
export const messagePackClient: Partial<DriverOptions> = {
  hello: hex(Buffer.from(`{"protocol":"messagepack","version":1}${SEPARATOR}`)),
  keepalive: hex(Buffer.from([2, 0x91, 6])),
}

export const socketIoClient: Partial<DriverOptions> = {
  path: '/socket.io/?EIO=4&transport=websocket',
  hello: '40',
  ready: '40',
  pingText: '2',
  pongText: '3',
}

/** Bytes as the driver takes them. */
export function hex(bytes: Uint8Array): string {
  return `hex:${Buffer.from(bytes).toString('hex')}`
}

/** Stands in a post where the driver puts its payload. */
const BODY = '|'

/** Posts by HTTP, as ours has it. */
export function httpPost(server: ServerProcess): Partial<DriverOptions> {
  return { postHttp: server.postPort, ...aroundBody((body) => JSON.stringify({ sender: 'bench', body })) }
}

/** What stands around the payload in what is posted. */
export function aroundBody(write: (body: string) => string): { postBefore: string; postAfter: string } {
  const post = write(BODY)
  const at = post.indexOf(BODY)
  return { postBefore: post.slice(0, at), postAfter: post.slice(at + BODY.length) }
}
