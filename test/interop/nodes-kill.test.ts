import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from '@serverchannel/client'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../packages/server/test/until.ts'
import { AlternatingProxy } from '../support/alternating-proxy.ts'
import { type NodeProcess, startNodes } from '../support/node-process.ts'
import { buildStock, newestLibrary, upTo, waitForNode, ways } from '../support/stock-clients.ts'

/** What guarantee G12 allows. */
const BACK_MS_MAX = 5000

const ends: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function start() {
  const nodes = await startNodes(['a', 'b'])
  ends.push(() => Promise.all(nodes.map((node) => node.kill())))
  const [a, b] = nodes as readonly [NodeProcess, NodeProcess]
  const proxy = new AlternatingProxy([a.port, b.port])
  const url = await proxy.listen()
  ends.push(() => proxy.close())
  return { a, b, url }
}

describe('a node that is killed', () => {
  it('loses its clients to the other one within five seconds, on every transport', { timeout: 60_000 }, async () => {
    const { a, b, url } = await start()
    // Four of each, so that both nodes have some of each, both their own and some that come through the other.
    const all = ways.flatMap((way) => [1, 2, 3, 4].map(() => buildStock(newestLibrary, way, `${url}/testhub`)))
    ends.push(() => Promise.all(all.map((connection) => connection.stop())))
    for (const connection of all) {
      await connection.start()
      // One more request, so that not every WebSocket lands with the same node.
      await fetch(url)
    }
    const homes = await Promise.all(all.map((connection) => connection.invoke<string>('Node')))
    // The first eight are WebSockets.
    expect(new Set(homes.slice(0, 8))).toEqual(new Set(['a', 'b']))
    expect(new Set(homes.slice(8))).toEqual(new Set(['a', 'b']))
    const channel = connect(`${url.replace('http', 'ws')}/msg`, {
      WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    })
    ends.push(() => channel.close())
    const bodies: unknown[] = []
    channel.on('Test', (body) => bodies.push(body))
    await channel.ready()

    await a.kill()
    const times = await waitForNode(all, 'b', 2 * BACK_MS_MAX)
    expect(Math.max(...times)).toBeLessThan(BACK_MS_MAX)
    // The one with a channel comes back too, and is told what is posted from then on.
    await expect
      .poll(
        async () => {
          await b.post([['Test', 'after']])
          return bodies.length
        },
        { timeout: BACK_MS_MAX, interval: 50 },
      )
      .toBeGreaterThan(0)
    // They are served as before: calls and messages, with but one node behind the proxy.
    for (const connection of all) {
      const numbers: number[] = []
      connection.on('message', (number: number) => numbers.push(number))
      await connection.invoke('Send', 50, 'x')
      await until(() => numbers.length === 50, 'all messages have come')
      expect(numbers).toEqual(upTo(50))
    }
  })
})

describe('a client that does not read, through another node', () => {
  it('takes no memory there, and gets all of it in order when it reads again', async () => {
    const { a, b } = await start()
    const negotiated = await fetch(`${a.url}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })
    const { connectionToken } = (await negotiated.json()) as { connectionToken: string }
    const at = `${b.url}/msg?id=${connectionToken}`
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = httpRequest(at, { headers: { Accept: 'text/event-stream' }, agent: false }, resolve)
      asked.on('error', reject).end()
      ends.push(async () => asked.destroy())
    })
    let text = ''
    response.on('data', (data: Buffer) => {
      text += data.toString()
    })
    response.on('error', () => {})
    await fetch(at, { method: 'POST', body: '{"protocol":"json","version":1}\x1e' })
    await until(() => text.includes('{}'), 'the handshake is answered')
    response.pause()
    const before = await b.state()
    // Some 30 MB, which the owner's history holds, and no node has to hold but once.
    const body = 'x'.repeat(100_000)
    for (let part = 0; part < 10; part++) {
      await a.post(Array.from({ length: 30 }, (_, index) => ['Test', `${part * 30 + index}:${body}`] as const))
    }
    const after = await b.state()
    expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(2_000_000)
    response.resume()
    await until(() => text.includes('"Body":"299:') && text.endsWith('\r\n\r\n'), 'all has come', 15_000)
    const numbers = [...text.matchAll(/"Body":"(\d+):/g)].map((match) => Number(match[1]))
    expect(numbers).toEqual(upTo(300))
  })
})
