import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import { AlternatingProxy } from '../../../test/support/alternating-proxy.ts'
import type { Store } from '../src/channel/store.ts'
import { createServerChannel } from '../src/server.ts'
import type { ServerChannel } from '../src/server-channel.ts'
import { MemoryStore } from '../src/stores/memory.ts'
import { SharedLog } from '../src/stores/shared-log.ts'
import { NODE_SECRET } from './node-scene.ts'
import { Follower, UNBOUNDED } from './store-contract.ts'
import { until } from './until.ts'

interface Node {
  readonly port: number
  readonly url: string
  readonly channel: ServerChannel
  readonly log: string[]
}

/** A node that has been told no other node's address. */
async function openNode(store: Store, name: string, secret = NODE_SECRET): Promise<Node> {
  const server: Server = createServer((_, response) => response.writeHead(404).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const log: string[] = []
  const channel = await createServerChannel({
    store,
    closeTimeoutMs: 500,
    logger: pino({ level: 'warn', base: null }, { write: (line) => void log.push(line) }),
    nodes: { self: name, secret, url },
  })
  channel.attach(server)
  onTestFinished(async () => {
    await channel.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { port, url, channel, log }
}

function openLog(): SharedLog {
  return new SharedLog(new MemoryStore({ ...UNBOUNDED, epoch: 'shared' }))
}

it('nodes tell each other where they are: clients need no sticky sessions on any transport', async () => {
  const log = openLog()
  const nodes = [await openNode(log.view(), 'a'), await openNode(log.view(), 'b'), await openNode(log.view(), 'c')]
  await until(() => nodes.every(({ channel }) => channel.nodeCount === 3), 'all know all')
  const proxy = new AlternatingProxy(nodes.map(({ port }) => port))
  const url = await proxy.listen()
  onTestFinished(() => proxy.close())
  for (const transport of [
    HttpTransportType.WebSockets,
    HttpTransportType.ServerSentEvents,
    HttpTransportType.LongPolling,
  ]) {
    const connection = new HubConnectionBuilder()
      .withUrl(`${url}/msg`, { transport })
      .configureLogging(LogLevel.None)
      .build()
    onTestFinished(() => connection.stop())
    const got: unknown[] = []
    connection.on('ServerMessage', ({ Body }: { Body: unknown }) => got.push(Body))
    await connection.start()
    for (const _ of [1, 2, 3, 4]) expect(await connection.invoke('Ping')).toBe('Pong!')
    await nodes[2]?.channel.postMessageToAll('Hi', transport)
    await until(() => got.length === 1, 'it has come')
  }
})

it('believes no address of whoever can write to the store and does not know the secret', async () => {
  const log = openLog()
  const a = await openNode(log.view(), 'a')
  const b = await openNode(log.view(), 'b', 'another secret, of whoever has got into the store')
  await until(() => a.channel.nodeCount === 2, 'they hear each other')
  await until(() => a.log.some((line) => line.includes('without the secret')), 'it says so')
  const negotiated = await fetch(`${b.url}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })
  const { connectionToken } = (await negotiated.json()) as { connectionToken: string }
  const asked = await fetch(`${a.url}/msg?id=${connectionToken}`, { headers: { accept: 'text/event-stream' } })
  expect(asked.status).toBe(404)
})

it('goes on where others say nonsense', async () => {
  const log = openLog()
  const a = await openNode(log.view(), 'a')
  const view = log.view()
  await view.open(new Follower())
  const nonsense = [
    '{"from":"x","signal":{"kind":"here","told":1,"address":{}}}',
    '{"from":"x","signal":{"kind":"no"}}',
  ]
  const more = ['{"from":"x","signal":{"kind":"presence","told":1,"isWhole":true}}', '{"from":"x","signal":null}', '[]']
  for (const text of [...nonsense, ...more, '{"from":"x","signal":{"kind":"ask"}}']) await view.signal(text)
  expect((await a.channel.postMessageToAll('Hi')).position).toBe('shared:1')
})
