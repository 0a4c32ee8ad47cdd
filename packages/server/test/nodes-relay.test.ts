import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Server } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openNodes, upgrade } from './node-scene.ts'
import { openRaw } from './served-channel.ts'
import { ask, negotiate, openStream, startAsking } from './transport-http.ts'
import { until } from './until.ts'

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('It does not listen')
  return `http://127.0.0.1:${address.port}`
}

/** Something in the place of node `a`, with a token that leads to it through node `b`. */
async function standIn(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const [a] = await openNodes(['a'])
  const { connectionToken } = await negotiate(`${a.url}/msg`)
  const server = createServer(answer)
  onTestFinished(() => server.closeAllConnections())
  const url = await listening(server)
  const [b] = await openNodes(['b'], { addresses: { a: url }, nodeTimeoutMs: 300, pollTimeoutMs: 100 })
  return { b, path: `/msg?id=${connectionToken}`, at: `${b.url}/msg?id=${connectionToken}`, connectionToken }
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of request) text += String(part)
  return text
}

describe('a request that is passed on', () => {
  it('comes as it was made, without what is between two hops only', async () => {
    const asked: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
    const { at, path, b } = await standIn((request, response) => {
      void readBody(request).then((body) => {
        asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
        response
          .writeHead(200, {
            'Content-Length': 2,
            'Set-Cookie': ['a=1', 'b=2'],
            'X-Kept': 'é',
            'X-Hop': 'no',
            Connection: 'x-hop, keep-alive',
          })
          .end(Buffer.from('ok'))
      })
    })
    const raw = await openRaw(
      b.port,
      `POST ${path}&x=%20a HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer ada\r\nCookie: c=1; d=2\r\n` +
        'Accept: a/b\r\nLast-Event-ID: e:1\r\nContent-Type: text/plain\r\nConnection: close, x-secret\r\nX-Secret: 1\r\n' +
        'X-Forwarded-For: 203.0.113.9\r\nTE: trailers\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n',
    )
    await until(raw.isEnded, 'it is answered')
    const [first] = asked
    if (!first) throw new Error('It did not come')
    const { headers, ...rest } = first
    expect(rest).toEqual({ method: 'POST', url: `${path}&x=%20a`, body: 'abcdefg' })
    expect(headers).toMatchObject({
      host: 'app.example.com',
      authorization: 'Bearer ada',
      cookie: 'c=1; d=2',
      accept: 'a/b',
      'last-event-id': 'e:1',
      'content-type': 'text/plain',
      'x-forwarded-for': '203.0.113.9',
      'transfer-encoding': 'chunked',
      connection: 'keep-alive',
      'x-serverchannel-node': expect.stringMatching(
        /^1 b \d{13} [\w-]{16} [\w-]{43} http (?:::ffff:)?127\.0\.0\.1$/,
      ) as string,
    })
    for (const name of ['x-secret', 'te', 'keep-alive', 'proxy-authorization', 'content-length']) {
      expect(headers[name]).toBeUndefined()
    }
    expect(raw.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    for (const line of ['set-cookie: a=1', 'set-cookie: b=2', 'x-kept: é', 'content-length: 2', 'connection: close']) {
      expect(raw.text().toLowerCase()).toContain(`\r\n${line}\r\n`)
    }
    expect(raw.text()).not.toMatch(/x-hop/i)
    expect(raw.text()).toMatch(/\r\n\r\nok$/)
    expect((await ask(at, { method: 'POST', body: 'x'.repeat(1000) })).status).toBe(200)
    expect(asked[1]?.headers['content-length']).toBe('1000')
    expect(asked[1]?.body).toHaveLength(1000)
  })

  it.each(['GET', 'DELETE'])(
    'has no body where it is a %s, so that none is taken for a next request',
    async (method) => {
      const asked: string[] = []
      const { b, path } = await standIn((request, response) => {
        void readBody(request).then((body) => {
          asked.push(`${request.method} ${request.url} ${body}`)
          response.writeHead(200, { 'Content-Length': 0 }).end()
        })
      })
      const inner = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
      for (const frame of [
        `Content-Length: ${inner.length}\r\n\r\n${inner}`,
        `Transfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
      ]) {
        asked.length = 0
        const raw = await openRaw(
          b.port,
          `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${frame}`,
        )
        await until(raw.isEnded, 'it is answered')
        expect(raw.text()).toMatch(/^HTTP\/1\.1 200 /)
        expect(asked).toEqual([`${method} ${path} `])
      }
    },
  )

  it.each([
    ['a length and chunks', 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n'],
    ['two lengths', 'Content-Length: 3\r\nContent-Length: 4\r\n'],
    ['chunks that are not the last encoding', 'Transfer-Encoding: chunked, gzip\r\n'],
  ])('is refused where it has %s', async (_, lines) => {
    let count = 0
    const { b, path } = await standIn((_request, response) => {
      count++
      response.end()
    })
    const raw = await openRaw(b.port, `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n0\r\n\r\n`)
    await until(raw.isEnded, 'it is answered')
    expect(raw.text()).toMatch(/^HTTP\/1\.1 400 /)
    expect(count).toBe(0)
  })

  it('ends with its client', async () => {
    let isBroken = false
    const { at } = await standIn((request) => {
      request.on('close', () => {
        isBroken = true
      })
    })
    const poll = startAsking(at)
    await new Promise((resolve) => poll.request.once('socket', (socket) => socket.once('connect', resolve)))
    poll.request.destroy()
    await until(() => isBroken, 'the node knows')
  })

  it('ends where its node falls silent', async () => {
    const { at } = await standIn(() => {})
    const { status, text } = await ask(at)
    expect([status, text]).toEqual([404, 'No Connection with that ID'])
  })

  it('ends where its node is gone in the middle: a stream is over, an answer that has a length is broken', async () => {
    const { at } = await standIn((request, response) => {
      if (request.headers.accept === 'text/event-stream') response.write('data: 1\r\n\r\n')
      else response.writeHead(200, { 'Content-Length': 100 }).write('x')
      setImmediate(() => response.socket?.destroy())
    })
    const stream = await openStream(at)
    await until(stream.isEnded, 'the stream has ended')
    expect([stream.text(), stream.response.complete]).toEqual(['data: 1\r\n\r\n', true])
    await expect(ask(at)).rejects.toThrow('aborted')
  })

  it('waits no longer than is set for a node that takes it and says nothing of a claim', async () => {
    const { at, connectionToken, b } = await standIn(() => {})
    const start = performance.now()
    expect(await upgrade(at)).toBe(101)
    expect(performance.now() - start).toBeLessThan(2000)
    expect(b.log.join('')).toContain('A node does not answer as it should')
    expect(b.log.join('')).not.toContain(connectionToken)
  })

  it('is made again where the node gave an idle connection up in that moment, unless some of it is gone', async () => {
    const used = new Set<unknown>()
    let resets = 0
    const { at } = await standIn((request, response) => {
      if (used.has(request.socket)) {
        resets++
        request.socket.resetAndDestroy()
        return
      }
      used.add(request.socket)
      request.resume()
      response.writeHead(request.url?.includes('/claim') ? 204 : 200, { 'Content-Length': 0 }).end()
    })
    expect((await ask(at)).status).toBe(200)
    expect((await ask(at)).status).toBe(200)
    expect(await upgrade(at)).toBe(101)
    expect(resets).toBe(2)
  })

  it('is one of a bounded number', async () => {
    const [a, b] = await openNodes(['a', 'b'], { relayedRequestsMax: 1 })
    const tokens = await Promise.all([1, 2].map(() => negotiate(`${a.url}/msg`)))
    const [first = '', second = ''] = tokens.map(({ connectionToken }) => `${b.url}/msg?id=${connectionToken}`)
    const stream = await openStream(first)
    const { status, text } = await ask(second)
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([503, 'too_many_connections'])
    stream.request.destroy()
    await until(() => a.channel.connectionCount === 0, 'the first is gone')
    expect((await ask(second)).status).toBe(200)
  })
})
