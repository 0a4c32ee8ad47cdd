import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { defineHub } from '../src/index.ts'
import type { Authenticate, ServerChannelOptions } from '../src/options.ts'
import { createServerChannel } from '../src/server.ts'
import type { ServerChannel } from '../src/server-channel.ts'

export const NODE_SECRET = 'what all nodes of the tests have in common'

export interface SceneNode {
  readonly name: string
  readonly url: string
  readonly port: number
  readonly channel: ServerChannel
  /** What it logged, as JSON lines. */
  readonly log: readonly string[]
  /** Requests that have come, those that were passed on to it among them. */
  requestCount(): number
  /** From now on its port is closed, and whoever is connected is cut off. */
  die(): Promise<void>
}

export interface NodeSceneOptions extends ServerChannelOptions {
  /** Other addresses than the nodes' own, by name: those of nodes that are not there, or of something in between. */
  readonly addresses?: Readonly<Record<string, string>>
}

/** Several nodes in this process, each on a port of its own. Each serves `/msg`, and a hub at `/other`. */
export async function openNodes<Names extends readonly string[]>(
  names: readonly [...Names],
  { addresses = {}, ...options }: NodeSceneOptions = {},
): Promise<{ readonly [Index in keyof Names]: SceneNode }> {
  const servers = await Promise.all(names.map((name) => listen(name)))
  const own = Object.fromEntries(servers.map(({ name, url }) => [name, url]))
  const nodes = servers.map(async ({ name, url, port, server }) => {
    const log: string[] = []
    const channel = await createServerChannel({
      authenticate: byName,
      closeTimeoutMs: 500,
      logger: pino({ level: 'info', base: null }, { write: (line) => void log.push(line) }),
      nodes: { self: name, secret: NODE_SECRET, urls: { ...own, ...addresses } },
      ...options,
    })
    onTestFinished(() => channel.close())
    channel.mapHub('/other', defineHub({ methods: {} }))
    channel.attach(server)
    let requests = 0
    server.on('request', () => requests++)
    return { name, url, port, channel, log, requestCount: () => requests, die: () => close(server) }
  })
  return (await Promise.all(nodes)) as { readonly [Index in keyof Names]: SceneNode }
}

/** Opens a WebSocket, and says how the server answered: 101, or why not. */
export function upgrade(url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const socket = new WebSocket(url.replace('http', 'ws'), { headers })
  onTestFinished(() => socket.terminate())
  socket.on('error', () => {})
  return new Promise((resolve) => {
    socket.once('open', () => resolve(101))
    socket.once('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0)
      request.destroy()
    })
  })
}

async function listen(name: string): Promise<{ name: string; url: string; port: number; server: Server }> {
  const server = createServer((_, response) => response.writeHead(404).end('not of the channel'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => close(server))
  const { port } = server.address() as AddressInfo
  return { name, port, url: `http://127.0.0.1:${port}`, server }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}

/** `Authorization: Bearer NAME`, or `access_token=NAME`, is the user NAME. */
const byName: Authenticate = (request) => {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  const user = bearer ?? new URLSearchParams(request.url?.split('?')[1] ?? '').get('access_token')
  return user ? { user } : {}
}
