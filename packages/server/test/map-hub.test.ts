import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { defineHub, HubException, type MapOptions, type RawConnection } from '../src/index.ts'
import { openClient, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

interface ChatContract {
  server: { Say(text: string): number; Fail(): void }
  client: { Said(user: string, text: string): void }
}

const chat = defineHub<ChatContract>({
  methods: {
    Say({ clients, user }, text) {
      clients.all.send('Said', user ?? 'somebody', text)
      return text.length
    },
    Fail() {
      throw new HubException('as it was asked')
    },
  },
})

async function serveHub(options: MapOptions = {}) {
  const { channel, url, port } = await serveChannel({
    authenticate: (request) => ({ user: new URL(request.url ?? '', 'http://x').searchParams.get('user') ?? 'nobody' }),
  })
  return { channel, url, port, hub: channel.mapHub('/Chat', chat, options) }
}

function stockClient(url: string, transport: HttpTransportType) {
  const connection = new HubConnectionBuilder()
    .withUrl(url, { transport, logger: LogLevel.None })
    .configureLogging(LogLevel.None)
    .build()
  onTestFinished(() => connection.stop())
  return connection
}

describe('a mapped hub', () => {
  it.each([
    ['WebSockets', HttpTransportType.WebSockets],
    ['server-sent events', HttpTransportType.ServerSentEvents],
    ['long polling', HttpTransportType.LongPolling],
  ])('answers stock clients over %s, at its path in any case', async (_, transport) => {
    const { url, hub } = await serveHub()
    const connection = stockClient(`${url}/chat?user=ada`, transport)
    const said: unknown[] = []
    connection.on('Said', (...args) => said.push(args))
    await connection.start()
    expect(await connection.invoke('say', 'hello')).toBe(5)
    await expect(connection.invoke('Fail')).rejects.toThrow('HubException: as it was asked')
    hub.clients.user('ada').send('Said', 'server', 'bye')
    await until(() => said.length === 2, 'both have come')
    expect(said).toEqual([
      ['ada', 'hello'],
      ['server', 'bye'],
    ])
    expect(hub.connectionCount).toBe(1)
    await connection.stop()
    await until(() => hub.connectionCount === 0, 'it is gone')
  })

  it('takes only the transports that it is told to', async () => {
    const { port, url } = await serveHub({ transports: ['LongPolling'] })
    const negotiated = await fetch(`${url}/chat/negotiate?negotiateVersion=1`, { method: 'POST' })
    const { availableTransports, connectionToken } = (await negotiated.json()) as {
      availableTransports: { transport: string }[]
      connectionToken: string
    }
    expect(availableTransports.map(({ transport }) => transport)).toEqual(['LongPolling'])
    const events = await fetch(`${url}/chat?id=${connectionToken}`, { headers: { Accept: 'text/event-stream' } })
    expect([events.status, await events.text()]).toEqual([
      404,
      'ServerSentEvents transport not supported by this end point type',
    ])
    await expect(openClient(port, '/chat')).rejects.toThrow('404')
  })

  it('sends clients elsewhere when they negotiate, with a token for there (N5)', async () => {
    const there = await serveHub({
      authenticate: ({ headers }) => (headers.authorization ? { user: headers.authorization } : null),
    })
    const { url } = await serveHub({
      redirect: (_, { user }) => ({ url: `${there.url}/chat`, accessToken: `for-${user}` }),
    })
    const connection = stockClient(`${url}/chat?user=ada`, HttpTransportType.WebSockets)
    const said: unknown[] = []
    connection.on('Said', (user) => said.push(user))
    await connection.start()
    await connection.invoke('Say', 'hello')
    expect([said, there.hub.connectionCount]).toEqual([['Bearer for-ada'], 1])
  })

  it('asks its own authentication, not that of the server', async () => {
    const { url } = await serveHub({ authenticate: () => null })
    expect((await fetch(`${url}/chat/negotiate`, { method: 'POST' })).status).toBe(401)
    expect((await fetch(`${url}/msg/negotiate`, { method: 'POST' })).status).toBe(200)
  })

  it('knows no token of another hub', async () => {
    const { url } = await serveHub()
    const negotiated = await fetch(`${url}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })
    const { connectionToken } = (await negotiated.json()) as { connectionToken: string }
    expect((await fetch(`${url}/chat?id=${connectionToken}`)).status).toBe(404)
    expect((await fetch(`${url}/msg?id=${connectionToken}`)).status).toBe(200)
  })

  it('has a path of its own, and bounds in their range', async () => {
    const { channel } = await serveHub()
    expect(() => channel.mapHub('/msg', chat)).toThrow("There is something at '/msg' already.")
    expect(() => channel.mapHub('chat', chat)).toThrow('begin with a slash')
    expect(() => channel.mapHub('/more', chat, { limits: { streamsMax: 0 } })).toThrow(RangeError)
  })
})

describe('mapped connections', () => {
  const served: RawConnection[] = []

  async function serveEcho() {
    const scene = await serveChannel()
    scene.channel.mapConnections('/echo', async (connection) => {
      served.push(connection)
      for await (const data of connection) {
        if (data.toString() === 'fail') throw new Error('as it was asked')
        if (data.toString() === 'end') return
        connection.send(data)
      }
    })
    return scene
  }

  it('carry text as text and bytes as bytes, without a handshake', async () => {
    const { port } = await serveEcho()
    const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`)
    onTestFinished(() => socket.terminate())
    const got: unknown[] = []
    socket.on('message', (data: Buffer, isBinary) => got.push(isBinary ? [...data] : data.toString()))
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('été')
    socket.send(Buffer.of(0, 255, 30))
    socket.send('')
    await until(() => got.length === 3, 'all have come back')
    expect(got).toEqual(['été', [0, 255, 30], ''])
  })

  it.each([
    ['end', 1000],
    ['fail', 1011],
  ])('end with their function: %s', async (word, code) => {
    const { port } = await serveEcho()
    const { socket, closed } = await openClient(port, '/echo', false)
    socket.send(word)
    expect(await closed).toBe(code)
    expect(served.at(-1)?.signal.aborted).toBe(true)
  })

  it('carry bytes over polls', async () => {
    const { url } = await serveEcho()
    const negotiated = await fetch(`${url}/echo/negotiate?negotiateVersion=1`, { method: 'POST' })
    const { connectionToken } = (await negotiated.json()) as { connectionToken: string }
    const at = `${url}/echo?id=${connectionToken}`
    await fetch(at)
    const poll = fetch(at)
    await fetch(at, { method: 'POST', body: Buffer.of(1, 0, 2) })
    expect([...new Uint8Array(await (await poll).arrayBuffer())]).toEqual([1, 0, 2])
    expect((await fetch(at, { method: 'DELETE' })).status).toBe(202)
  })

  it('are read no faster than their function reads', async () => {
    const scene = await serveChannel()
    let proceed = (): void => {}
    const waiting = new Promise<void>((resolve) => {
      proceed = resolve
    })
    let bytes = 0
    scene.channel.mapConnections('/slow', async (connection) => {
      await waiting
      for await (const data of connection) bytes += data.length
    })
    const { socket } = await openClient(scene.port, '/slow', false)
    const part = Buffer.alloc(100_000)
    for (let i = 0; i < 400; i++) socket.send(part)
    // More than kernel and bounds hold together: what is left waits in the client.
    await until(() => socket.bufferedAmount < 40_000_000, 'some is on its way')
    for (let quiet = 0, last = -1; quiet < 20; quiet = socket.bufferedAmount === last ? quiet + 1 : 0) {
      last = socket.bufferedAmount
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(socket.bufferedAmount).toBeGreaterThan(20_000_000)
    proceed()
    await until(() => bytes === 40_000_000, 'all has come')
  })
})
