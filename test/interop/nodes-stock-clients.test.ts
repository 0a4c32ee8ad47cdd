import * as newest from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import * as oldest from 'signalr-3.1.3'
import * as oldestMessagePack from 'signalr-protocol-msgpack-3.1.3'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { AlternatingProxy } from '../support/alternating-proxy.ts'
import { type NodeProcess, startNodes } from '../support/node-process.ts'

type Library = Pick<typeof newest, 'HubConnectionBuilder' | 'HttpTransportType' | 'LogLevel' | 'Subject'>
type Protocol = 'json' | 'messagepack'

const libraries: readonly [string, Library, () => newest.IHubProtocol][] = [
  ['newest', newest, () => new MessagePackHubProtocol()],
  [
    '3.1.3',
    oldest as unknown as Library,
    () => new oldestMessagePack.MessagePackHubProtocol() as unknown as newest.IHubProtocol,
  ],
]
const ways: readonly [string, newest.HttpTransportType, Protocol][] = [
  ['WebSockets', newest.HttpTransportType.WebSockets, 'json'],
  ['WebSockets', newest.HttpTransportType.WebSockets, 'messagepack'],
  ['ServerSentEvents', newest.HttpTransportType.ServerSentEvents, 'json'],
  ['LongPolling', newest.HttpTransportType.LongPolling, 'json'],
  ['LongPolling', newest.HttpTransportType.LongPolling, 'messagepack'],
]

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

function build(
  [, library, createMessagePack]: (typeof libraries)[number],
  [, transport, protocol]: (typeof ways)[number],
  at = `${url}/testhub?user=ada`,
): newest.HubConnection {
  const builder = new library.HubConnectionBuilder()
    .withUrl(at, { transport, logger: library.LogLevel.None })
    .configureLogging(library.LogLevel.None)
  if (protocol === 'messagepack') builder.withHubProtocol(createMessagePack())
  const connection = builder.build()
  onTestFinished(() => connection.stop())
  return connection
}

function collect<Item>(stream: newest.IStreamResult<Item>): Promise<Item[]> {
  return new Promise((resolve, reject) => {
    const items: Item[] = []
    stream.subscribe({ next: (item) => items.push(item), complete: () => resolve(items), error: reject })
  })
}

const count = (length: number): number[] => Array.from({ length }, (_, index) => index)

describe.each(libraries)('@microsoft/signalr %s behind a proxy that alternates', (...library) => {
  describe.each(ways)('over %s (%i, %s)', (...way) => {
    it('is served as by one server: calls, messages, streams, results', async () => {
      const before = proxy.log.length
      const connection = build(library, way)
      const numbers: number[] = []
      connection.on('message', (number: number) => numbers.push(number))
      await connection.start()
      expect(await connection.invoke('Transport')).toBe(way[0])
      expect(await connection.invoke('User')).toBe('ada')
      expect(await connection.invoke('Address')).toMatch(/^(?:::ffff:)?127\.0\.0\.1$/)
      for (const number of count(10)) expect(await connection.invoke('Echo', number)).toBe(number)
      await connection.invoke('Send', 60, 'é'.repeat(100))
      await expect.poll(() => numbers.length, { timeout: 10_000, interval: 5 }).toBe(60)
      expect(numbers).toEqual(count(60))
      expect(await collect(connection.stream('Count', 50))).toEqual(count(50))
      const subject = new library[1].Subject<string>()
      const joined = connection.invoke('Concat', subject)
      for (const number of count(60)) subject.next(`${number},`)
      subject.complete()
      expect(await joined).toBe(
        count(60)
          .map((number) => `${number},`)
          .join(''),
      )
      const asked = proxy.log.slice(before)
      // Each of its requests went elsewhere than the one before, and so to both nodes in turn.
      for (const [index, { port }] of asked.slice(1).entries()) expect(port).not.toBe(asked[index]?.port)
      if (way[0] !== 'WebSockets') expect(asked.length).toBeGreaterThan(10)
    })
  })

  it('is left by long polling clients that stop', async () => {
    const connection = build(library, ['LongPolling', newest.HttpTransportType.LongPolling, 'json'])
    await connection.start()
    const total = async (): Promise<number> =>
      (await Promise.all(nodes.map((node) => node.state()))).reduce(
        (sum, { connectionCount }) => sum + connectionCount,
        0,
      )
    expect(await total()).toBe(1)
    await connection.stop()
    await expect.poll(total, { timeout: 5000, interval: 10 }).toBe(0)
  })
})

describe('the newest client behind a proxy that alternates', () => {
  it.each(ways.filter(([name]) => name !== 'WebSockets'))('takes messages of 1 MB over %s', async (...way) => {
    const [library] = libraries
    if (!library) throw new Error('There is no library')
    const connection = build(library, way)
    const lengths: number[] = []
    connection.on('message', (_, text: string) => lengths.push(text.length))
    await connection.start()
    for (const sent of [1, 2, 3]) {
      await connection.invoke('Flood', 1, 1_000_000)
      await expect.poll(() => lengths.length, { timeout: 10_000, interval: 5 }).toBe(sent)
    }
    expect(lengths).toEqual([1_000_000, 1_000_000, 1_000_000])
  })

  it('gives results', async () => {
    const connection = new newest.HubConnectionBuilder()
      .withUrl(`${url}/testhub`, { transport: newest.HttpTransportType.LongPolling })
      .configureLogging(newest.LogLevel.None)
      .build()
    onTestFinished(() => connection.stop())
    connection.on('Result', () => 42)
    await connection.start()
    expect(await connection.invoke('AskBack')).toBe(42)
  })
})
