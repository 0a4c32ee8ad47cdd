// The page's client against the real server, over each transport, with nothing but what Node has in place of a page.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Channel as ClientChannel, type ConnectOptions, connect, connectHub } from '@serverchannel/client'
import { messagePack } from '@serverchannel/client/messagepack'
import {
  createServerChannel,
  defineHub,
  type HubContract,
  ownConnections,
  type ServerChannel,
  upload,
} from 'serverchannel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { CuttingProxy } from '../support/cutting-proxy.ts'

interface CountContract extends HubContract {
  server: {
    Add(a: number, b: number): number
    Fail(): void
    Count(to: number): AsyncIterable<number>
    Forever(): AsyncIterable<number>
    Sum(numbers: AsyncIterable<number>): number
    AskName(): string
    Slow(): void
  }
  client: { Name(): string; Told(text: string): void }
}

let server: ServerChannel
let url: string
let ended = 0
const opened: { close(): Promise<void> }[] = []

beforeEach(async () => {
  ended = 0
  server = await createServerChannel({ development: true, clientMessagePolicy: ownConnections })
  url = (await server.listen()).url
  server.mapHub(
    '/count',
    defineHub<CountContract>({
      methods: {
        Add: (_, a, b) => a + b,
        Fail() {
          throw new Error('secret')
        },
        async *Count(_, to) {
          for (let n = 1; n <= to; n++) yield n
        },
        async *Forever({ signal }) {
          try {
            for (let n = 0; !signal.aborted; n++) {
              yield n
              await new Promise((resolve) => setTimeout(resolve, 5))
            }
          } finally {
            ended++
          }
        },
        Sum: {
          parameters: [upload()],
          async run(_, numbers) {
            let sum = 0
            for await (const n of numbers) sum += n
            return sum
          },
        },
        AskName: async ({ clients, connectionId }) => clients.client(connectionId).invoke('Name'),
        Slow: ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              ended++
              resolve()
            })
          }),
      },
    }),
  )
})

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
  await server.close()
})

function open(options: ConnectOptions = {}, to = url, user = 'anna'): ClientChannel {
  const channel = connect(`${to}/msg?user=${user}`, { WebSocket, reconnectDelayMs: 20, ...options })
  opened.push(channel)
  return channel
}

const ways = [
  ['WebSocket', { transports: ['websocket'] }],
  ['server-sent events', { transports: ['server-sent-events'] }],
  ['long polling', { transports: ['long-polling'] }],
  ['MessagePack over WebSocket', { transports: ['websocket'], codec: messagePack }],
  ['MessagePack over long polling', { transports: ['long-polling'], codec: messagePack }],
] as const satisfies readonly (readonly [string, ConnectOptions])[]

describe.each(ways)('over %s', (_, options) => {
  it('a page gets messages in order, sends some, and calls the hub', async () => {
    const channel = open(options)
    const other = open(options)
    const got: unknown[] = []
    channel.on('Number', (body) => got.push(body))
    const draft = other.once('PTPMsg', { signal: AbortSignal.timeout(10_000) })
    await Promise.all([channel.ready(), other.ready()])
    for (let n = 0; n < 200; n++) void server.postMessageToAll('Number', n)
    await server.postMessageToAll('Number', 'ä\n\u2028"\\')
    await expect.poll(() => got.length, { timeout: 10_000 }).toBe(201)
    expect(got).toEqual([...Array(200).keys(), 'ä\n\u2028"\\'])
    expect(channel.position).toMatch(/:201$/)
    expect(channel.lag).toEqual({ messages: 0, ms: expect.any(Number) as number })
    await channel.sendMessage('PTPMsg', { id: 7 })
    expect(await draft).toMatchObject({ Body: { id: 7 }, Header: { SentBy: { User: 'anna' } } })
    expect(await channel.invoke('Ping')).toBe('Pong!')
    await expect(channel.sendMessage('Chat')).rejects.toMatchObject({
      code: 'call_failed',
      message: expect.stringContaining('message_refused') as string,
    })
  })

  it('goes on where it was when the connection is cut', async () => {
    const proxy = new CuttingProxy(Number(new URL(url).port))
    const port = await proxy.listen()
    opened.push(proxy)
    const channel = open(options, `http://127.0.0.1:${port}`)
    const got: unknown[] = []
    const recovered: unknown[] = []
    channel.on('Number', (body) => got.push(body))
    channel.onStateChange((state, change) => state === 'open' && recovered.push(change.recovered))
    await channel.ready()
    for (let n = 0; n < 30; n++) {
      await server.postMessageToAll('Number', n)
      if (n % 10 === 9) {
        proxy.cut()
        await server.postMessageToAll('Number', `away ${n}`)
        await expect.poll(() => recovered.length, { timeout: 10_000 }).toBe(1 + (n + 1) / 10)
      }
    }
    const expected = [...Array(30).keys()].flatMap((n) => (n % 10 === 9 ? [n, `away ${n}`] : [n]))
    await expect.poll(() => got, { timeout: 10_000 }).toEqual(expected)
    expect(recovered.slice(1)).toEqual([true, true, true])
  })

  it('a hub of its own is called, streams both ways, cancels, and calls back', async () => {
    const hub = connectHub<CountContract>(`${url}/count`, { WebSocket, ...options })
    opened.push(hub)
    hub.on('Name', () => 'Ada')
    expect(await hub.invoke('Add', [1, 2])).toBe(3)
    await expect(hub.invoke('Fail', [])).rejects.toMatchObject({ code: 'call_failed' })
    const counted: number[] = []
    for await (const n of hub.stream('Count', [5])) counted.push(n)
    expect(counted).toEqual([1, 2, 3, 4, 5])
    async function* numbers(): AsyncIterable<number> {
      for (const n of [10, 20, 30]) yield Promise.resolve(n)
    }
    expect(await hub.invoke('Sum', [numbers()])).toBe(60)
    expect(await hub.invoke('AskName', [])).toBe('Ada')
    for await (const n of hub.stream('Forever', [])) if (n === 3) break
    await expect.poll(() => ended).toBe(1)
    const stopping = new AbortController()
    const slow = hub.invoke('Slow', [], { signal: stopping.signal })
    setTimeout(() => stopping.abort(new Error('enough')), 20)
    await expect(slow).rejects.toThrow('enough')
  })
})

/** A server in front of the other one that lets pass what it is told to. */
async function startGate(passes: (method: string, isUpgrade: boolean, accept: string) => boolean): Promise<string> {
  const gate = createServer((request, response) => {
    if (!passes(request.method ?? '', false, request.headers.accept ?? '')) {
      response.socket?.destroy()
      return
    }
    const { method = 'GET', headers } = request
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const stopping = new AbortController()
      response.on('close', () => stopping.abort())
      const body = method === 'POST' ? { body: Buffer.concat(chunks) } : {}
      const accept = headers.accept ? { accept: headers.accept } : {}
      fetch(`${url}${request.url ?? ''}`, { method, headers: accept, signal: stopping.signal, ...body })
        .then(async (answer) => {
          response.writeHead(answer.status)
          for await (const chunk of answer.body ?? []) response.write(chunk)
          response.end()
        })
        .catch(() => response.destroy())
    })
  })
  gate.on('upgrade', (_, socket) => socket.destroy())
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve))
  opened.push({
    close: () =>
      new Promise((resolve) => {
        gate.close(() => resolve())
        gate.closeAllConnections()
      }),
  })
  return `http://127.0.0.1:${(gate.address() as AddressInfo).port}`
}

describe('a network that blocks', () => {
  it.each([
    ['WebSockets', () => true, 'text/event-stream'],
    [
      'WebSockets and event streams',
      (_: string, __: boolean, accept: string) => !accept.includes('event-stream'),
      '*/*',
    ],
  ])('%s makes the page fall back at once', async (_, passes, carried) => {
    const accepted: string[] = []
    const gate = await startGate((method, isUpgrade, accept) => {
      const isPassed = passes(method, isUpgrade, accept)
      if (method === 'GET' && isPassed) accepted.push(accept)
      return isPassed
    })
    const channel = open({ reconnectDelayMs: 60_000, reconnectDelayMsMax: 60_000 }, gate)
    const errors: string[] = []
    channel.onError(({ code }) => errors.push(code))
    await channel.ready({ signal: AbortSignal.timeout(10_000) })
    expect(errors.every((code) => code === 'connection_failed')).toBe(true)
    expect(accepted[0]).toBe(carried)
    const got = channel.once('News', { signal: AbortSignal.timeout(10_000) })
    await server.postMessageToAll('News', 1)
    expect((await got).Body).toBe(1)
  })
})
