import type { HubConnection } from '@microsoft/signalr'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { AlternatingProxy } from '../support/alternating-proxy.ts'
import { type NodeProcess, startNodes } from '../support/node-process.ts'
import {
  buildStock,
  newestLibrary,
  type StockLibrary,
  stockLibraries,
  useHub,
  type Way,
  ways,
} from '../support/stock-clients.ts'

let nodes: readonly NodeProcess[] = []
let proxy: AlternatingProxy
let url: string

beforeAll(async () => {
  nodes = await startNodes(['a', 'b'])
  proxy = new AlternatingProxy(nodes.map(({ port }) => port))
  url = await proxy.listen()
})

afterAll(async () => {
  await proxy.close()
  for (const node of nodes) await node.kill()
})

function build(library: StockLibrary, way: Way): HubConnection {
  const connection = buildStock(library, way, `${url}/testhub?user=ada`)
  onTestFinished(() => connection.stop())
  return connection
}

describe.each(stockLibraries)('@microsoft/signalr $version behind a proxy that alternates', (library) => {
  it.each(ways)('is served as by one server over $transport in $protocol', async (way) => {
    const before = proxy.log.length
    const connection = build(library, way)
    await useHub(connection, library, way)
    expect(await connection.invoke('User')).toBe('ada')
    expect(await connection.invoke('Address')).toMatch(/^(?:::ffff:)?127\.0\.0\.1$/)
    const asked = proxy.log.slice(before)
    // Each of its requests went elsewhere than the one before, and so to both nodes in turn.
    for (const [index, { port }] of asked.slice(1).entries()) expect(port).not.toBe(asked[index]?.port)
    expect(asked.length).toBeGreaterThan(way.transport === 'WebSockets' ? 1 : 10)
  })

  it('leaves as soon as it stops, over long polling', async () => {
    const connection = build(library, { transport: 'LongPolling', protocol: 'json' })
    const total = async (): Promise<number> => {
      const states = await Promise.all(nodes.map((node) => node.state()))
      return states.reduce((sum, { connectionCount }) => sum + connectionCount, 0)
    }
    await expect.poll(total, { timeout: 5000, interval: 10 }).toBe(0)
    await connection.start()
    expect(await total()).toBe(1)
    await connection.stop()
    await expect.poll(total, { timeout: 5000, interval: 10 }).toBe(0)
  })
})

describe('the newest client behind a proxy that alternates', () => {
  it.each(ways)('takes messages of 1 MB over $transport in $protocol', async (way) => {
    const connection = build(newestLibrary, way)
    const lengths: number[] = []
    connection.on('message', (_, text: string) => lengths.push(text.length))
    await connection.start()
    for (const sent of [1, 2, 3]) {
      await connection.invoke('Flood', 1, 1_000_000)
      await expect.poll(() => lengths.length, { timeout: 10_000, interval: 5 }).toBe(sent)
    }
    expect(lengths).toEqual([1_000_000, 1_000_000, 1_000_000])
  })

  it.each(ways)('gives results over $transport in $protocol', async (way) => {
    const connection = build(newestLibrary, way)
    connection.on('Result', () => 42)
    await connection.start()
    expect(await connection.invoke('AskBack')).toBe(42)
  })
})
