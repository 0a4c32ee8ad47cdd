import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createServerChannel } from '../src/server.ts'
import type { ServerChannel } from '../src/server-channel.ts'
import { openRaw, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

/** What HTTP clients that would rather speak HTTP/2 send with their first request: Java's, and curl with `--http2`. */
const OFFER =
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n'

async function attach(server: Server): Promise<{ channel: ServerChannel; port: number }> {
  const channel = await createServerChannel({ development: true })
  channel.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await channel.close()
    server.closeAllConnections()
    server.close()
  })
  return { channel, port: (server.address() as AddressInfo).port }
}

async function answerTo(port: number, request: string, isWhole: (text: string) => boolean): Promise<string> {
  const raw = await openRaw(port, request)
  await until(() => isWhole(raw.text()) || raw.isEnded(), 'the answer is there')
  return raw.text()
}

describe('a request that offers an upgrade to something else', () => {
  it('is answered by the server it was attached to, its body included, as if it had not offered', async () => {
    const application = express()
    application.use(express.json())
    application.post('/orders', (request, response) => {
      response.json({ got: request.body as unknown, upgrade: request.headers.upgrade ?? 'h1' })
    })
    const { port } = await attach(createServer(application))
    const request = `POST /orders HTTP/1.1\r\nHost: localhost\r\n${OFFER}Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}`
    const answer = await answerTo(port, request, (text) => text.includes('got'))
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(answer).toContain('{"got":{"a":1}')
  })

  it('posts a message', async () => {
    const { channel, port } = await serveChannel({ development: true })
    const body = JSON.stringify({ sender: 'S', body: 'x'.repeat(100_000) })
    const request = `POST /api/messages HTTP/1.1\r\nHost: localhost\r\n${OFFER}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    expect(await answerTo(port, request, (text) => text.includes('position'))).toMatch(/^HTTP\/1\.1 201 Created\r\n/)
    expect(channel.position).toMatch(/:1$/)
  })

  it('may be followed by others on the same connection', async () => {
    const { port } = await serveChannel()
    const raw = await openRaw(port, `GET /livez HTTP/1.1\r\nHost: localhost\r\n${OFFER}\r\n`)
    await until(() => raw.text().includes('ok\n'), 'the first is answered')
    raw.socket.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await until(() => raw.text().includes('"ready":true'), 'the second is answered')
  })

  it('is not handed round for ever', async () => {
    const { port } = await serveChannel()
    const request = `GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nupgrade: h2c\r\nX-Upgrade: 1\r\n\r\n`
    expect(await answerTo(port, request, (text) => text.includes('ok\n'))).toContain('200 OK')
  })

  it('keeps header values that are not ASCII, and those that come twice', async () => {
    const server = createServer((request, response) => {
      response.end(
        JSON.stringify([request.headers['x-name'], request.headersDistinct['x-twice'], request.url, request.method]),
      )
    })
    const { port } = await attach(server)
    const head = Buffer.from(
      `GET /a?b=%20c HTTP/1.1\r\nHost: localhost\r\n${OFFER}X-Name: \xe9\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n`,
      'latin1',
    )
    const answer = await answerTo(port, head.toString('latin1'), (text) => text.includes(']'))
    expect(answer).toContain('["1","2"],"/a?b=%20c","GET"]')
  })
})
