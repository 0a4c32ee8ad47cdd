import * as newest from '@microsoft/signalr'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import * as oldest from 'signalr-3.1.3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/** What both versions of `@microsoft/signalr` have alike. */
interface StockConnection {
  on(target: string, handler: (message: StockMessage) => void): void
  start(): Promise<void>
  stop(): Promise<void>
  invoke(method: string, ...args: unknown[]): Promise<unknown>
}

interface StockMessage {
  readonly Id: string
  readonly Header: { readonly Sender: string }
  readonly Body: unknown
}

type Connect = (url: string, options: Record<string, unknown>) => StockConnection

const clients: readonly [string, Connect][] = [
  [
    'newest',
    (url, options) =>
      new newest.HubConnectionBuilder()
        .withUrl(url, options)
        .withAutomaticReconnect([0, 50, 100, 200, 400, 800])
        .configureLogging(newest.LogLevel.None)
        .build(),
  ],
  [
    '3.1.3',
    (url, options) =>
      new oldest.HubConnectionBuilder()
        .withUrl(url, options)
        .withAutomaticReconnect([0, 50, 100, 200, 400, 800])
        .configureLogging(oldest.LogLevel.None)
        .build(),
  ],
]
const ways: readonly [string, Record<string, unknown>][] = [
  ['with negotiation', { transport: 1 }],
  ['without negotiation', { transport: 1, skipNegotiation: true }],
]
const BODIES: readonly unknown[] = [
  '',
  'null',
  '5',
  'abc',
  [1, 2],
  { a: { b: [null, true, 1.5] } },
  null,
  'Ünïcödé 😀\u2028\u0000',
  'lone \ud800 surrogate',
  'x'.repeat(1_000_000),
]
const WAIT = { timeout: 10_000, interval: 10 }

let channel: ServerChannel
let url: string
const open: StockConnection[] = []

beforeEach(async () => {
  channel = await createServerChannel({ development: true })
  url = (await channel.listen()).url
})

afterEach(async () => {
  for (const connection of open.splice(0)) await connection.stop()
  await channel.close()
})

async function listen(
  connect: Connect,
  query: string,
  options: Record<string, unknown>,
): Promise<{ got: StockMessage[]; connection: StockConnection }> {
  const connection = connect(`${url}/msg${query}`, options)
  const got: StockMessage[] = []
  connection.on('ServerMessage', (message) => got.push(message))
  open.push(connection)
  await connection.start()
  return { got, connection }
}

describe.each(clients)('@microsoft/signalr %s', (_version, connect) => {
  describe.each(ways)('%s', (_way, options) => {
    it('gets ServerMessage with every kind of body as it was posted, in order', async () => {
      const { got } = await listen(connect, '', options)
      for (const body of BODIES) await channel.postMessageToAll('SomeMessageId', body)
      await expect.poll(() => got.length, WAIT).toBe(BODIES.length)
      expect(got.map(({ Body }) => Body)).toEqual(BODIES)
      expect(new Set(got.map(({ Id }) => Id)).size).toBe(BODIES.length)
      expect(got.every(({ Header }) => Header.Sender === 'SomeMessageId')).toBe(true)
    })

    it('gets what is posted to its user, and not what is posted to another', async () => {
      const anna = await listen(connect, '?user=anna', options)
      const boris = await listen(connect, '?user=boris', options)
      await channel.postMessage('anna', 'One', 1)
      await channel.postMessage(['anna', 'boris'], 'Two', 2)
      await channel.postMessageToAll('Three', 3)
      const senders = (messages: readonly StockMessage[]): string[] => messages.map(({ Header }) => Header.Sender)
      await expect.poll(() => senders(anna.got), WAIT).toEqual(['One', 'Two', 'Three'])
      await expect.poll(() => senders(boris.got), WAIT).toEqual(['Two', 'Three'])
    })

    it('is told that there is no such method, in the words of .NET', async () => {
      const { connection } = await listen(connect, '', options)
      await expect(connection.invoke('Nope')).rejects.toThrow(
        "Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist.",
      )
    })

    it('comes back by itself after the server was closed and started again', async () => {
      const { got } = await listen(connect, '', options)
      const port = Number(new URL(url).port)
      await channel.close()
      channel = await createServerChannel({ development: true })
      await channel.listen({ port })
      await expect.poll(() => channel.connectionCount, WAIT).toBe(1)
      await expect
        .poll(async () => {
          await channel.postMessageToAll('Again', 'x')
          return got.length
        }, WAIT)
        .toBeGreaterThan(0)
    })
  })
})
