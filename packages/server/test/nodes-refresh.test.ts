import * as signalr from '@microsoft/signalr'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { AlternatingProxy } from '../../../test/support/alternating-proxy.ts'
import type { Authenticate } from '../src/options.ts'
import { openNodes, upgrade } from './node-scene.ts'
import { openClient } from './served-channel.ts'
import { ask, negotiate, openStream } from './transport-http.ts'
import { until } from './until.ts'

/** `Bearer USER SECONDS`: the user, for so many seconds. */
const authenticate: Authenticate = ({ headers, url }) => {
  const given = headers.authorization ?? new URLSearchParams(url?.split('?')[1] ?? '').get('access_token') ?? ''
  const [user, seconds] = given.replace('Bearer ', '').split(' ')
  return user ? { user, expiresAt: Date.now() + Number(seconds) * 1000 } : null
}

const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` })

describe('newer credentials', () => {
  it.each([
    ['a WebSocket where it was negotiated', 0],
    ['a WebSocket elsewhere', 1],
  ])('reach %s, through any node', async (_, home) => {
    const nodes = await openNodes(['a', 'b', 'c'], { authenticate })
    const { connectionToken } = await negotiate(`${nodes[0].url}/msg`, bearer('ada 3'))
    const port = nodes[home]?.port ?? 0
    const start = performance.now()
    const client = await openClient(port, `/msg?id=${connectionToken}&access_token=${encodeURIComponent('ada 3')}`)
    let seconds = 5
    for (const { url } of nodes) {
      const at = `${url}/msg/refresh?id=${connectionToken}`
      const refreshed = await ask(at, { method: 'POST', headers: bearer(`ada ${seconds--}`) })
      expect(refreshed.status).toBe(200)
      expect(Object.keys(JSON.parse(refreshed.text) as object)).toEqual(['tokenLifetimeSeconds'])
      for (const wrong of ['eve 100', '']) {
        const { status, text } = await ask(at, { method: 'POST', headers: bearer(wrong) })
        expect([status, text]).toEqual([401, '{"error":"invalid_token"}'])
      }
    }
    // The last one said three seconds, from then on.
    await client.closed
    expect(performance.now() - start).toBeGreaterThan(2500)
    for (const { url } of nodes) {
      const at = `${url}/msg/refresh?id=${connectionToken}`
      const { status, text } = await ask(at, { method: 'POST', headers: bearer('ada 100') })
      expect([status, text]).toEqual([404, '{"error":"connection_not_found"}'])
    }
  })

  it('reach a stream through another node', async () => {
    const [a, b] = await openNodes(['a', 'b'], { authenticate })
    const { connectionToken } = await negotiate(`${a.url}/msg`, bearer('ada 100'))
    await openStream(`${b.url}/msg?id=${connectionToken}`, bearer('ada 100'))
    const at = `${b.url}/msg/refresh?id=${connectionToken}`
    expect((await ask(at, { method: 'POST', headers: bearer('ada 200') })).status).toBe(200)
    expect((await ask(at)).status).toBe(405)
  })

  it('are not found where the node of the connection is gone', async () => {
    const [a, b] = await openNodes(['a', 'b'], { authenticate })
    const { connectionToken } = await negotiate(`${a.url}/msg`, bearer('ada 100'))
    await a.die()
    const at = `${b.url}/msg/refresh?id=${connectionToken}`
    const { status, text } = await ask(at, { method: 'POST', headers: bearer('ada 200') })
    expect([status, text]).toEqual([404, '{"error":"connection_not_found"}'])
  })
})

describe('a client that can resume', () => {
  async function connect(url: string) {
    const connection = new signalr.HubConnectionBuilder()
      .withUrl(url, { transport: signalr.HttpTransportType.WebSockets, logger: signalr.LogLevel.None })
      .withStatefulReconnect()
      .withAutomaticReconnect([0, 0, 100, 100])
      .configureLogging(signalr.LogLevel.None)
      .build()
    let restarts = 0
    connection.onreconnected(() => restarts++)
    await connection.start()
    onTestFinished(() => connection.stop())
    return { connection, restarts: () => restarts }
  }

  it('resumes on the node that has it, and not on one that only knows of it', async () => {
    const [a, b] = await openNodes(['a', 'b'])
    const { text } = await ask(`${a.url}/msg/negotiate?negotiateVersion=1&useStatefulReconnect=true`, {
      method: 'POST',
    })
    const { connectionToken, useStatefulReconnect } = JSON.parse(text) as Record<string, string>
    expect(useStatefulReconnect).toBe(true)
    const at = `/msg?id=${connectionToken}`
    const socket = new WebSocket(b.url.replace('http', 'ws') + at)
    onTestFinished(() => socket.terminate())
    const got: string[] = []
    socket.on('message', (data: Buffer) => got.push(data.toString()))
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('{"protocol":"json","version":2}\x1e{"type":6}\x1e')
    await until(() => got.length > 0, 'the handshake is answered')
    socket.terminate()
    // It was negotiated there, and is not there.
    expect(await upgrade(a.url + at)).toBe(404)
    expect(await upgrade(b.url + at)).toBe(101)
    expect(b.channel.connectionCount).toBe(1)
  })

  it('connects anew where its socket breaks and it lands on another node', async () => {
    const [a, b] = await openNodes(['a', 'b'])
    const proxy = new AlternatingProxy([a.port, b.port])
    const url = await proxy.listen()
    onTestFinished(() => proxy.close())
    const { connection, restarts } = await connect(`${url}/msg`)
    const bodies: unknown[] = []
    connection.on('ServerMessage', (message: { Body: unknown }) => bodies.push(message.Body))
    proxy.cut()
    await until(() => restarts() === 1, 'it has connected anew')
    // The old one still waits for its client, where it was.
    expect([a, b].map(({ channel }) => channel.connectionCount)).toEqual([1, 1])
    await Promise.all([a, b].map(({ channel }) => channel.postMessageToAll('Test', 'after')))
    await until(() => bodies.length > 0, 'it gets messages')
    expect(bodies).toEqual(['after'])
  })
})
