import type { IncomingMessage } from 'node:http'
import * as newest from '@microsoft/signalr'
import { createServerChannel, type Identity, type ServerChannel } from 'serverchannel'
import * as oldest from 'signalr-3.1.3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/** What both versions of `@microsoft/signalr` have alike. */
interface StockConnection {
  readonly state: string
  on(target: string, handler: (argument: StockMessage) => void): void
  onreconnected(handler: () => void): void
  onclose(handler: (error?: Error) => void): void
  start(): Promise<void>
  stop(): Promise<void>
  invoke(method: string, ...args: unknown[]): Promise<unknown>
}

interface StockMessage {
  readonly Header: { readonly Sender: string }
  readonly Body: unknown
  readonly Position: string
  readonly recovered?: boolean
}

type Connect = (url: string, options: Record<string, unknown>) => StockConnection

const DELAYS = [0, 50, 100, 200, 400, 800]
const clients: readonly [string, Connect][] = [
  [
    'newest',
    (url, options) =>
      new newest.HubConnectionBuilder()
        .withUrl(url, options)
        .withAutomaticReconnect(DELAYS)
        .configureLogging(newest.LogLevel.None)
        .build(),
  ],
  [
    '3.1.3',
    (url, options) =>
      new oldest.HubConnectionBuilder()
        .withUrl(url, options)
        .withAutomaticReconnect(DELAYS)
        .configureLogging(oldest.LogLevel.None)
        .build(),
  ],
]
const transports: readonly [string, Record<string, unknown>][] = [
  ['WebSockets', { transport: newest.HttpTransportType.WebSockets }],
  ['ServerSentEvents', { transport: newest.HttpTransportType.ServerSentEvents }],
  ['LongPolling', { transport: newest.HttpTransportType.LongPolling }],
]
const BODIES: readonly unknown[] = [
  '',
  'null',
  '5',
  'abc',
  [1, 2],
  { a: { b: [null, true, 1.5] } },
  null,
  'line\r\nline\nline\rdata: x\n\nevent: Close',
  'Ünïcödé 😀\u2028\u0000\u001e',
  'lone \ud800 surrogate',
  'x'.repeat(1_000_000),
]
const WAIT = { timeout: 10_000, interval: 10 }

let channel: ServerChannel
let url: string
const open: StockConnection[] = []

/** `Bearer NAME`, or `access_token=NAME` in the query, is the user NAME; without either there is no connecting. */
function authenticate({ headers, url: target = '' }: IncomingMessage): Identity | null {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
  const user = bearer ?? new URLSearchParams(target.split('?')[1] ?? '').get('access_token')
  return user ? { user } : null
}

beforeEach(async () => {
  channel = await createServerChannel({ authenticate })
  url = (await channel.listen()).url
})

afterEach(async () => {
  for (const connection of open.splice(0)) await connection.stop()
  await channel.close()
})

interface Listening {
  readonly connection: StockConnection
  readonly got: StockMessage[]
  readonly states: StockMessage[]
}

async function listen(
  connect: Connect,
  options: Record<string, unknown>,
  user = 'anna',
  query = '',
): Promise<Listening> {
  const connection = connect(`${url}/msg${query}`, { ...options, accessTokenFactory: () => user })
  const got: StockMessage[] = []
  const states: StockMessage[] = []
  connection.on('ServerMessage', (message) => got.push(message))
  connection.on('ChannelState', (state) => states.push(state))
  open.push(connection)
  await connection.start()
  return { connection, got, states }
}

describe.each(clients)('@microsoft/signalr %s', (_version, connect) => {
  describe.each(transports)('over %s', (_transport, options) => {
    it('gets every kind of body as it was posted, in order', async () => {
      const { got } = await listen(connect, options)
      for (const body of BODIES) await channel.postMessageToAll('SomeMessageId', body)
      await expect.poll(() => got.length, WAIT).toBe(BODIES.length)
      expect(got.map(({ Body }) => Body)).toEqual(BODIES)
    })

    it('gets many messages in order', async () => {
      const { got } = await listen(connect, options)
      const bodies = Array.from({ length: 500 }, (_, n) => n)
      for (const body of bodies) await channel.postMessageToAll('Count', body)
      await expect.poll(() => got.length, WAIT).toBe(bodies.length)
      expect(got.map(({ Body }) => Body)).toEqual(bodies)
    })

    it('shows who it is with each request, and gets what is for its user', async () => {
      const anna = await listen(connect, options, 'anna')
      const boris = await listen(connect, options, 'boris')
      await channel.postMessage('anna', 'One', 1)
      await channel.postMessageToAll('Two', 2)
      const senders = ({ got }: Listening): string[] => got.map(({ Header }) => Header.Sender)
      await expect.poll(() => senders(anna), WAIT).toEqual(['One', 'Two'])
      await expect.poll(() => senders(boris), WAIT).toEqual(['Two'])
    })

    it('is refused without a token, in words that say so', async () => {
      const connection = connect(`${url}/msg`, options)
      await expect(connection.start()).rejects.toThrow(/Unauthorized|401/)
      expect(channel.connectionCount).toBe(0)
    })

    it('calls, and is answered', async () => {
      const { connection } = await listen(connect, options)
      const calls = Array.from({ length: 20 }, (_, n) => connection.invoke(`Nope${n} 😀`).catch(String))
      for (const [n, answer] of (await Promise.all(calls)).entries()) {
        expect(answer).toContain(`Failed to invoke 'Nope${n} 😀' due to an error on the server.`)
      }
    })

    it('goes on where its position says', async () => {
      const first = await listen(connect, options, 'anna', '?position=')
      await channel.postMessageToAll('One', 1)
      await expect.poll(() => first.got.length, WAIT).toBe(1)
      await first.connection.stop()
      await channel.postMessageToAll('Two', 2)
      const position = encodeURIComponent(first.got[0]?.Position ?? '')
      const second = await listen(connect, options, 'anna', `?position=${position}`)
      await expect.poll(() => second.got.map(({ Body }) => Body), WAIT).toEqual([2])
      await expect.poll(() => second.states.map(({ recovered }) => recovered), WAIT).toEqual([true])
    })

    it('comes back by itself after the server was closed and started again', async () => {
      const { connection, got } = await listen(connect, options)
      let isBack = false
      connection.onreconnected(() => {
        isBack = true
      })
      const port = Number(new URL(url).port)
      await channel.close()
      channel = await createServerChannel({ authenticate })
      await channel.listen({ port })
      await expect.poll(() => isBack, WAIT).toBe(true)
      await channel.postMessageToAll('After', 1)
      await expect.poll(() => got.map(({ Body }) => Body), WAIT).toEqual([1])
    })

    it('stops without an error, and the server knows at once', async () => {
      const { connection } = await listen(connect, options)
      const ends: (Error | undefined)[] = []
      connection.onclose((error) => ends.push(error))
      expect(channel.connectionCount).toBe(1)
      await connection.stop()
      await expect.poll(() => channel.connectionCount, WAIT).toBe(0)
      expect(connection.state).toBe('Disconnected')
      expect(ends.filter(Boolean)).toEqual([])
    })
  })
})
