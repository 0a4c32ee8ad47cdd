import * as newest from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import * as oldest from 'signalr-3.1.3'
import * as oldestMessagePack from 'signalr-protocol-msgpack-3.1.3'
import { expect } from 'vitest'

type Library = Pick<typeof newest, 'HubConnectionBuilder' | 'HttpTransportType' | 'LogLevel' | 'Subject'>

/** A version of `@microsoft/signalr`. */
export interface StockLibrary {
  readonly version: string
  readonly library: Library
  readonly createMessagePack: () => newest.IHubProtocol
}

/** A transport and what is spoken on it. */
export interface Way {
  readonly transport: 'WebSockets' | 'ServerSentEvents' | 'LongPolling'
  readonly protocol: 'json' | 'messagepack'
}

export const newestLibrary: StockLibrary = {
  version: 'newest',
  library: newest,
  createMessagePack: () => new MessagePackHubProtocol(),
}
export const stockLibraries: readonly StockLibrary[] = [
  newestLibrary,
  {
    version: '3.1.3',
    library: oldest as unknown as Library,
    createMessagePack: () => new oldestMessagePack.MessagePackHubProtocol() as unknown as newest.IHubProtocol,
  },
]

/** All that there are: server-sent events carry no bytes. */
export const ways: readonly Way[] = [
  { transport: 'WebSockets', protocol: 'json' },
  { transport: 'WebSockets', protocol: 'messagepack' },
  { transport: 'ServerSentEvents', protocol: 'json' },
  { transport: 'LongPolling', protocol: 'json' },
  { transport: 'LongPolling', protocol: 'messagepack' },
]

/** A connection that is not started. It comes back by itself, soon and often. */
export function buildStock({ library, createMessagePack }: StockLibrary, way: Way, url: string): newest.HubConnection {
  const builder = new library.HubConnectionBuilder()
    .withUrl(url, { transport: library.HttpTransportType[way.transport], logger: library.LogLevel.None })
    .configureLogging(library.LogLevel.None)
    .withAutomaticReconnect([0, 50, 100, 200, 400, 800, 1600])
  return (way.protocol === 'messagepack' ? builder.withHubProtocol(createMessagePack()) : builder).build()
}

/** Starts it and uses the hub of `node-program.mjs`: calls, messages in order both ways, streams both ways. */
export async function useHub(connection: newest.HubConnection, { library }: StockLibrary, way: Way): Promise<void> {
  const numbers: number[] = []
  connection.on('message', (number: number) => numbers.push(number))
  await connection.start()
  expect(await connection.invoke('Transport')).toBe(way.transport)
  for (const number of upTo(10)) expect(await connection.invoke('Echo', number)).toBe(number)
  const sent = Promise.all(upTo(60).map((number) => connection.invoke('Echo', number)))
  expect(await sent).toEqual(upTo(60))
  await connection.invoke('Send', 60, 'é'.repeat(100))
  await expect.poll(() => numbers.length, { timeout: 10_000, interval: 5 }).toBe(60)
  expect(numbers).toEqual(upTo(60))
  expect(await collect(connection.stream('Count', 50))).toEqual(upTo(50))
  const subject = new library.Subject<string>()
  const joined = connection.invoke('Concat', subject)
  for (const number of upTo(60)) subject.next(`${number},`)
  subject.complete()
  expect(await joined).toBe(
    upTo(60)
      .map((number) => `${number},`)
      .join(''),
  )
}

/** How long it takes each of them, from now, to be served by the node with this name; Infinity: longer than `msMax`. */
export async function waitForNode(
  connections: readonly newest.HubConnection[],
  name: string,
  msMax: number,
): Promise<number[]> {
  const start = performance.now()
  return await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() - start < msMax) {
        const node = await connection.invoke<string>('Node').catch(() => undefined)
        if (node === name) return performance.now() - start
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return Number.POSITIVE_INFINITY
    }),
  )
}

function collect<Item>(stream: newest.IStreamResult<Item>): Promise<Item[]> {
  return new Promise((resolve, reject) => {
    const items: Item[] = []
    stream.subscribe({ next: (item) => items.push(item), complete: () => resolve(items), error: reject })
  })
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
