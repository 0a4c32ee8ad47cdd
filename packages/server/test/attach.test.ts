import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createServerChannel } from '../src/server.ts'
import type { ServerChannel } from '../src/server-channel.ts'

const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function createChannel(): Promise<ServerChannel> {
  const channel = await createServerChannel({ development: true })
  closers.push(() => channel.close())
  return channel
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** First message that the hub says to a client of the channel. */
function firstMessage(host: string, channel: ServerChannel): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${host}/msg`)
    socket.on('error', reject)
    socket.on('open', () => socket.send('{"protocol":"json","version":1}\x1e'))
    socket.on('message', (data: Buffer) => {
      const text = data.toString()
      if (text === '{}\x1e') void channel.postMessageToAll('Hello', 1)
      else {
        socket.close()
        resolve(text)
      }
    })
  })
}

async function expectChannelAt(host: string, channel: ServerChannel): Promise<void> {
  expect(await firstMessage(host, channel)).toContain('"Sender":"Hello"')
  expect((await fetch(`http://${host}/msg/negotiate`, { method: 'POST' })).status).toBe(200)
  const posted = await fetch(`http://${host}/api/messages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"sender":"A"}',
  })
  expect(posted.status).toBe(201)
}

describe('a channel attached', () => {
  it('to express leaves its routes, its body parsers and its 404s as they are', async () => {
    const application = express()
    application.use(express.json())
    application.post('/orders', (request, response) => {
      response.json({ got: request.body as unknown })
    })
    const server = createServer(application)
    const channel = await createChannel()
    channel.attach(server)
    const host = await listen(server)
    await expectChannelAt(host, channel)
    const answer = await fetch(`http://${host}/orders`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"a":1}',
    })
    expect(await answer.json()).toEqual({ got: { a: 1 } })
    const missing = await fetch(`http://${host}/livez`)
    expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining('Cannot GET /livez')])
  })

  it('to fastify leaves its routes and its 404s as they are', async () => {
    const application = fastify()
    application.get('/orders', () => ({ orders: [] }))
    await application.ready()
    closers.push(() => application.close())
    const channel = await createChannel()
    channel.attach(application.server)
    const address = await application.listen({ port: 0, host: '127.0.0.1' })
    const host = new URL(address).host
    await expectChannelAt(host, channel)
    expect(await (await fetch(`http://${host}/orders`)).json()).toEqual({ orders: [] })
    expect(await (await fetch(`http://${host}/nothing`)).json()).toMatchObject({ statusCode: 404 })
  })

  it("leaves other upgrades to the server's own listeners, and answers those that nobody has", async () => {
    const server = createServer()
    const own = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/own') own.handleUpgrade(request, socket, head, (webSocket) => webSocket.send('mine'))
      else socket.destroy()
    })
    const channel = await createChannel()
    channel.attach(server)
    const host = await listen(server)
    await expectChannelAt(host, channel)
    const text = await new Promise<string>((resolve, reject) => {
      const socket = new WebSocket(`ws://${host}/own`)
      socket.on('error', reject)
      socket.on('message', (data: Buffer) => {
        socket.close()
        resolve(data.toString())
      })
    })
    expect(text).toBe('mine')
  })

  it('answers an upgrade to a path that is nobody’s', async () => {
    const server = createServer((_request, response) => response.end('own'))
    const channel = await createChannel()
    channel.attach(server)
    const host = await listen(server)
    const status = await new Promise((resolve) => {
      const socket = new WebSocket(`ws://${host}/elsewhere`)
      socket.on('error', () => {})
      socket.on('unexpected-response', (_request, response) => {
        response.resume()
        resolve(response.statusCode)
      })
    })
    expect(status).toBe(404)
  })

  it('gives the server back as it was when it is closed', async () => {
    const server = createServer((_request, response) => response.end('own'))
    const before = server.listeners('request')
    const channel = await createChannel()
    channel.attach(server)
    const host = await listen(server)
    expect((await fetch(`http://${host}/msg/negotiate`, { method: 'POST' })).status).toBe(200)
    await channel.close()
    expect(await (await fetch(`http://${host}/msg/negotiate`, { method: 'POST' })).text()).toBe('own')
    expect(server.listeners('request')).toEqual(before)
  })
})

describe('a channel that closes', () => {
  it('tells its clients to come back, closes once, and takes no posts any more', async () => {
    const channel = await createChannel()
    const { port, url } = await channel.listen()
    const said: string[] = []
    const socket = new WebSocket(`ws://127.0.0.1:${port}/msg`)
    const code = new Promise<number>((resolve) => socket.on('close', resolve))
    await new Promise<void>((resolve) => {
      socket.on('open', () => socket.send('{"protocol":"json","version":1}\x1e'))
      socket.on('message', (data: Buffer) => {
        said.push(data.toString())
        resolve()
      })
    })
    await Promise.all([channel.close(), channel.close()])
    expect(await code).toBe(1000)
    expect(JSON.parse(said.at(-1)?.slice(0, -1) ?? '')).toMatchObject({ type: 7, allowReconnect: true })
    await expect(channel.postMessageToAll('A')).rejects.toMatchObject({ code: 'channel_closed' })
    await expect(fetch(`${url}/livez`)).rejects.toThrow('fetch failed')
  })

  it('rejects where its port is taken', async () => {
    const first = await createChannel()
    const { port } = await first.listen()
    const second = await createChannel()
    await expect(second.listen({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

describe('a channel that is closed', () => {
  it('answers the last poll of who polls, and not the host in its place (L3)', async () => {
    const server = createServer((_, response) => response.writeHead(404).end("the host's own"))
    const channel = await createChannel()
    channel.attach(server)
    const host = await listen(server)
    const negotiated = await fetch(`http://${host}/msg/negotiate?negotiateVersion=1`, { method: 'POST' })
    const { connectionToken } = (await negotiated.json()) as { connectionToken: string }
    const at = `http://${host}/msg?id=${connectionToken}`
    await fetch(at)
    await fetch(at, { method: 'POST', body: '{"protocol":"json","version":1}\x1e' })
    await (await fetch(at)).text()
    const poll = fetch(at)
    // The poll is there once the next request of its connection has been answered.
    await fetch(at, { method: 'POST', body: '{"type":6}\x1e' })
    const closed = channel.close()
    expect(await (await poll).text()).toContain('server_shutdown')
    expect((await fetch(at)).status).toBe(204)
    await closed
    expect(await (await fetch(at)).text()).toBe("the host's own")
  })
})
