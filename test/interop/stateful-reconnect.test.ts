import * as newest from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import { createServerChannel, defineHub, type MappedHub, type ServerChannel } from 'serverchannel'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../packages/server/test/until.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'

interface CountContract {
  server: { Count(number: number): number }
  client: { Said(number: number, text: string): void }
}

let server: ServerChannel
let hub: MappedHub<CountContract>
let port: number
let called: number[]

beforeAll(async () => {
  server = await createServerChannel()
  called = []
  hub = server.mapHub(
    '/count',
    defineHub<CountContract>({
      methods: {
        Count: (_, number) => {
          called.push(number)
          return number
        },
      },
    }),
  )
  port = (await server.listen()).port
})

afterAll(() => server.close())

async function openProxy(): Promise<{ proxy: CuttingProxy; url: string }> {
  const proxy = new CuttingProxy(port)
  onTestFinished(() => proxy.close())
  return { proxy, url: `http://127.0.0.1:${await proxy.listen()}` }
}

/** A stock client that can resume, and how often it had to begin anew. */
async function connectStock(url: string, protocol?: newest.IHubProtocol) {
  const builder = new newest.HubConnectionBuilder()
    .withUrl(url, { transport: newest.HttpTransportType.WebSockets, logger: newest.LogLevel.None })
    .withStatefulReconnect()
    .withAutomaticReconnect([0, 0, 0])
    .configureLogging(newest.LogLevel.None)
  const connection = (protocol ? builder.withHubProtocol(protocol) : builder).build()
  const client = { connection, restarts: 0, said: [] as number[] }
  connection.onreconnecting(() => {
    client.restarts++
  })
  connection.on('Said', (number: number) => client.said.push(number))
  await connection.start()
  onTestFinished(() => connection.stop())
  return client
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe.each([
  ['JSON', undefined, 90],
  ['MessagePack', new MessagePackHubProtocol(), 60],
])('a stock client over %s whose network breaks', (_, protocol, bytesMax) => {
  it('misses nothing, gets nothing twice and stays the same connection, wherever in a frame it breaks', async () => {
    const { proxy, url } = await openProxy()
    const { connection, said, ...client } = await connectStock(`${url}/count`, protocol)
    const { connectionId } = connection
    const text = 'x'.repeat(20)
    let number = 0
    const send = (): void => hub.clients.client(connectionId ?? '').send('Said', number++, text)
    // From the first byte of the frame to the last, and into the next one.
    for (let bytes = 1; bytes <= bytesMax; bytes++) {
      const before = proxy.connections
      proxy.cutAfter(bytes, 'client')
      send()
      send()
      await until(() => said.length === number && proxy.connections > before, `the messages after byte ${bytes}`)
    }
    expect(said).toEqual(upTo(number))
    expect([client.restarts, connection.connectionId]).toEqual([0, connectionId])
  })

  it('has each of its calls run once, and answered, wherever in a frame it breaks', async () => {
    const { proxy, url } = await openProxy()
    const { connection, restarts } = await connectStock(`${url}/count`, protocol)
    called.length = 0
    for (let bytes = 1; bytes <= bytesMax; bytes++) {
      proxy.cutAfter(bytes, 'server')
      const answers = [connection.invoke('Count', bytes * 2), connection.invoke('Count', bytes * 2 + 1)]
      expect(await Promise.all(answers)).toEqual([bytes * 2, bytes * 2 + 1])
    }
    expect(called).toEqual(upTo(bytesMax * 2 + 2).slice(2))
    expect(restarts).toBe(0)
  })
})

describe('the channel', () => {
  it('loses and doubles nothing for a stock client over twenty cuts, what is posted while it is away included', async () => {
    const { proxy, url } = await openProxy()
    const { connection, restarts } = await connectStock(`${url}/msg`)
    const bodies: unknown[] = []
    connection.on('ServerMessage', (message: { Body: unknown }) => bodies.push(message.Body))
    let posted = 0
    const post = (): Promise<unknown> => server.postMessageToAll('Numbers', posted++)
    for (let cut = 0; cut < 20; cut++) {
      await Promise.all([post(), post(), post()])
      proxy.refuse(cut % 2 === 0)
      proxy.cut()
      await Promise.all([post(), post()])
      proxy.refuse(false)
      await until(() => bodies.length === posted, `all ${posted} messages`)
    }
    expect([bodies, restarts]).toEqual([upTo(posted), 0])
  })

  it('keeps what is too much for the buffer in the log, for a client that acknowledges late', async () => {
    const client = await openRaw('/msg')
    const body = 'x'.repeat(1000)
    for (let i = 0; i < 300; i++) await server.postMessageToAll('Large', body)
    await until(() => client.records.length > 40, 'it gets some')
    const before = client.records.length
    // Half of the buffer, and no more than one chunk beyond.
    expect(before).toBeLessThan(150)
    // Each acknowledgement lets more come.
    let acknowledged = 0
    const timer = setInterval(() => {
      acknowledged = client.records.filter((record) => record.includes('ServerMessage')).length
      client.say({ type: 8, sequenceId: acknowledged })
    }, 5)
    onTestFinished(() => clearInterval(timer))
    await until(() => acknowledged === 300, 'all has come')
  })
})

/** A client that says only what the test says. */
async function openRaw(path: string, token?: string) {
  const id = token ?? (await negotiate(path))
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}?id=${id}`)
  onTestFinished(() => socket.terminate())
  const records: string[] = []
  socket.on('message', (data: Buffer) => records.push(...data.toString().split('\x1e').slice(0, -1)))
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  socket.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  const say = (...messages: object[]): void => {
    socket.send(messages.map((message) => `${JSON.stringify(message)}\x1e`).join(''))
  }
  if (token === undefined) {
    say({ protocol: 'json', version: 2 })
    await until(() => records.length === 1, 'the handshake is answered')
    say({ type: 6 })
  }
  return { id, socket, records, closed, say }
}

async function negotiate(path: string): Promise<string> {
  const url = `http://127.0.0.1:${port}${path}/negotiate?negotiateVersion=1&useStatefulReconnect=true`
  const { connectionToken, useStatefulReconnect } = (await (await fetch(url, { method: 'POST' })).json()) as {
    connectionToken: string
    useStatefulReconnect?: boolean
  }
  expect(useStatefulReconnect).toBe(true)
  return connectionToken
}

const count = (number: number): object => ({ type: 1, invocationId: `${number}`, target: 'Count', arguments: [number] })

describe('a socket that is half open', () => {
  it('gives way at once to a new one, which is told what was not acknowledged', async () => {
    const first = await openRaw('/count')
    first.say(count(1))
    await until(() => first.records.length === 2, 'the answer')
    // It says nothing more, and reads nothing: as a phone that has changed its network.
    first.socket.pause()
    const second = await openRaw('/count', first.id)
    await until(() => second.records.length === 2, 'where it goes on, and what comes again')
    expect(second.records.map((record) => JSON.parse(record) as object)).toEqual([
      { type: 9, sequenceId: 1 },
      { type: 3, invocationId: '1', result: 1 },
    ])
    called.length = 0
    second.say({ type: 9, sequenceId: 1 }, count(1), count(2))
    await until(() => called.length > 0, 'the new call')
    expect(called).toEqual([2])
  })
})

describe('a client that never acknowledges', () => {
  it('makes nobody wait, costs a bounded amount, and can’t resume what is not kept any more', async () => {
    const mute = await openRaw('/count')
    const other = await openRaw('/count')
    const text = 'x'.repeat(10_000)
    for (let i = 0; i < 500; i++) {
      hub.clients.all.send('Said', i, text)
      if (i % 20 < 19) continue
      await until(() => other.records.length === i + 2 && mute.records.length === i + 2, 'both have all')
    }
    mute.socket.terminate()
    await expect(openRaw('/count', mute.id)).rejects.toThrow('404')
    // Whoever has acknowledged is no worse off for it.
    other.say({ type: 8, sequenceId: 500 })
    other.say(count(7))
    await until(() => other.records.length === 502, 'the call after it')
    other.socket.terminate()
    const again = await openRaw('/count', other.id)
    await until(() => again.records.length === 2, 'it goes on')
    expect(again.records[0]).toBe('{"type":9,"sequenceId":501}')
  })
})

describe('numbers that can’t be', () => {
  it.each([
    [2, "Sequence ID greater than amount of messages we've received."],
    [Number.MAX_SAFE_INTEGER, "Sequence ID greater than amount of messages we've received."],
    [0, 'Connection closed with an error.'],
    [-1, 'Connection closed with an error.'],
  ])('a sequence that goes on from %d ends the connection, which says why', async (sequenceId, error) => {
    const client = await openRaw('/count')
    client.say({ type: 9, sequenceId })
    expect(await client.closed).toBe(1000)
    expect(JSON.parse(client.records.at(-1) ?? '')).toEqual({ type: 7, error, allowReconnect: true })
  })

  it.each([0, -1, 10 ** 15])('an acknowledgement of %d is taken for what it can mean', async (sequenceId) => {
    const client = await openRaw('/count')
    client.say(count(1), { type: 8, sequenceId }, count(2))
    await until(() => client.records.length === 3, 'both answers')
  })
})

describe('what ends a connection for good', () => {
  it.each([
    ['a Close message', (client: Awaited<ReturnType<typeof openRaw>>) => client.say({ type: 7 })],
    ['a close frame', (client: Awaited<ReturnType<typeof openRaw>>) => client.socket.close()],
  ])('%s (R3)', async (_, end) => {
    const client = await openRaw('/count')
    end(client)
    await client.closed
    await expect(openRaw('/count', client.id)).rejects.toThrow('404')
  })

  it('a handshake of version 1, once the network breaks (K3)', async () => {
    const id = await negotiate('/count')
    const client = await openRaw('/count', id)
    client.say({ protocol: 'json', version: 1 })
    await until(() => client.records.length === 1, 'the handshake is answered')
    const { connectionCount } = hub
    client.socket.terminate()
    await until(() => hub.connectionCount < connectionCount, 'it is gone')
    await expect(openRaw('/count', id)).rejects.toThrow('404')
  })

  it('is not what another user sends', async () => {
    const own = await createServerChannel({
      authenticate: ({ headers }) => ({ user: headers['x-user']?.toString() ?? 'nobody' }),
    })
    onTestFinished(() => own.close())
    const { url } = await own.listen()
    const negotiated = await fetch(`${url}/msg/negotiate?negotiateVersion=1&useStatefulReconnect=true`, {
      method: 'POST',
      headers: { 'X-User': 'ada' },
    })
    const { connectionToken } = (await negotiated.json()) as { connectionToken: string }
    const at = `${url.replace('http', 'ws')}/msg?id=${connectionToken}`
    const socket = new WebSocket(at, { headers: { 'X-User': 'ada' } })
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('{"protocol":"json","version":2}\x1e')
    await new Promise((resolve) => socket.once('message', resolve))
    const thief = new WebSocket(at, { headers: { 'X-User': 'eve' } })
    const error = await new Promise<Error>((resolve) => thief.once('error', resolve))
    expect(error.message).toContain('401')
    expect(socket.readyState).toBe(WebSocket.OPEN)
    socket.terminate()
  })
})
