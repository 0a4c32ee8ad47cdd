import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { userTokens } from '../src/auth/user-tokens.ts'
import type { ServerChannelOptions } from '../src/options.ts'
import { range } from './channel-scene.ts'
import { openClient, openRaw, type ServedChannel, serveChannel, UPGRADE_HEAD } from './served-channel.ts'
import { ask, HANDSHAKE, negotiate, negotiateUrl, openStream, post, RECORD_END, startAsking } from './transport-http.ts'
import { until } from './until.ts'

type Headers = Readonly<Record<string, string>>
const EVENTS = { Accept: 'text/event-stream' }

/** What an upgrade is answered: 101 where it is not refused. */
function upgrade(url: string, headers: Headers = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http', 'ws'), { headers })
    onTestFinished(() => socket.terminate())
    socket.on('open', () => resolve(101))
    socket.on('unexpected-response', (_, response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    socket.on('error', reject)
  })
}

/** The status of an answer that may be an endless one. */
async function statusOf(url: string, headers: Headers): Promise<number> {
  const { request, response } = await openStream(url, headers)
  request.destroy()
  return response.statusCode ?? 0
}

/** Each way to the channel, by name: what a request there is answered. `own` is a connection that is open. */
const doors: Readonly<Record<string, (hubUrl: string, own: string, headers: Headers) => Promise<number>>> = {
  negotiation: async (hubUrl, _, headers) => (await ask(`${hubUrl}/negotiate`, { method: 'POST', headers })).status,
  'an upgrade': (hubUrl, _, headers) => upgrade(hubUrl, headers),
  'an upgrade of what was negotiated': (_, own, headers) => upgrade(own, headers),
  'server-sent events': (_, own, headers) => statusOf(own, { ...EVENTS, ...headers }),
  'a poll': (_, own, headers) => statusOf(own, headers),
  'a POST': async (_, own, headers) => (await post(own, `{"type":6}${RECORD_END}`, headers).answer).status,
  'a DELETE': async (_, own, headers) => (await ask(own, { method: 'DELETE', headers })).status,
  'a refresh': async (_, own, headers) =>
    (await ask(own.replace('?', '/refresh?'), { method: 'POST', headers })).status,
  'the event stream': (hubUrl, _, headers) => statusOf(`${hubUrl}/events`, { Accept: 'text/event-stream', ...headers }),
}

async function serve(options: ServerChannelOptions = {}): Promise<ServedChannel> {
  return serveChannel({ development: true, closeTimeoutMs: 100, ...options })
}

describe('advisories about who gets in', () => {
  it.each(Object.keys(doors))(
    'GHSA-f53g-frr2-jhpf: a page of another site gets in nowhere with its visitor’s cookie: %s',
    async (door) => {
      const { hubUrl } = await serve({
        authenticate: ({ headers }) => (headers.cookie === 'session=anna' ? { user: 'anna' } : null),
      })
      const cookie = { Cookie: 'session=anna' }
      for (const foreign of [
        { Origin: 'https://evil.test' },
        { Origin: 'null' },
        { Origin: `${new URL(hubUrl).origin}.evil.test` },
        { Origin: 'http://127.0.0.1:1' },
        { 'Sec-Fetch-Site': 'cross-site' },
        { 'Sec-Fetch-Site': 'same-site' },
      ]) {
        const own = await negotiateUrl(hubUrl, cookie)
        expect([foreign, await doors[door]?.(hubUrl, own, { ...cookie, ...foreign })]).toEqual([foreign, 403])
      }
      // And the door is one: the visitor himself gets in.
      const own = await negotiateUrl(hubUrl, cookie)
      if (door === 'a POST' || door === 'a DELETE') await ask(own, { headers: cookie })
      const origin = { Origin: new URL(hubUrl).origin }
      expect([101, 200, 202]).toContain(await doors[door]?.(hubUrl, own, { ...cookie, ...origin }))
    },
  )

  it.each<[string, ServerChannelOptions, Headers, number]>([
    ['an origin that is not allowed', {}, { Origin: 'https://evil.test' }, 403],
    ['a host that is none of this machine', {}, { Host: 'evil.test' }, 403],
    ['nobody who is known', { authenticate: () => null }, {}, 401],
    ['no end of connections', { connectionsMax: 1 }, {}, 503],
  ])(
    'GHSA-c4j6-fc7j-m34r: an upgrade is let in by what lets in other requests: not with %s',
    async (_, options, headers, status) => {
      const { hubUrl, port } = await serve(options)
      if (options.connectionsMax !== undefined) await openClient(port)
      expect(await upgrade(hubUrl, headers)).toBe(status)
      expect(await statusOf(`${hubUrl}/events`, headers)).toBe(status)
    },
  )

  it('GHSA-c4j6-fc7j-m34r: an upgrade of another address than ours leads nowhere', async () => {
    const { port } = await serve()
    let asked = 0
    const other = createServer((_, response) => response.end()).on('request', () => asked++)
    other.on('upgrade', () => asked++)
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const target = `http://127.0.0.1:${(other.address() as AddressInfo).port}/msg`
    for (const url of [target, target.replace('http:', 'ws:'), target.slice(5), `/\\${target.slice(7)}`]) {
      const raw = await openRaw(port, `${UPGRADE_HEAD.replace('/msg', url)}\r\n`)
      await until(raw.isEnded, 'it is refused')
      expect(raw.text()).toMatch(/^HTTP\/1\.1 4\d\d /)
    }
    expect(asked).toBe(0)
  })

  it.each(Object.keys(doors).filter((door) => door !== 'the event stream'))(
    'CVE-2026-29785: who says to be another node and can not prove it gets in nowhere: %s',
    async (door) => {
      const urls = { a: 'http://127.0.0.1:1', b: 'http://127.0.0.1:2' }
      const { hubUrl } = await serve({ nodes: { self: 'a', secret: 's'.repeat(32), urls } })
      for (const claim of ['b', '', '1 b 1800000000000 aaaa AAAA http 127.0.0.1', 'x'.repeat(8000)]) {
        const own = await negotiateUrl(hubUrl)
        expect([claim, await doors[door]?.(hubUrl, own, { 'X-ServerChannel-Node': claim })]).toEqual([claim, 403])
      }
    },
  )

  it('CVE-2026-32301: the server asks nobody for keys, whatever a token names', async () => {
    let asked = 0
    const keys = createServer((_, response) => {
      asked++
      response.end('{"keys":[]}')
    })
    await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void keys.close())
    const url = `http://127.0.0.1:${(keys.address() as AddressInfo).port}/keys`
    const { hubUrl } = await serve({ authenticate: userTokens({ secret: 's'.repeat(32), audience: 'a' }) })
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = part({ sub: 'anna', aud: 'a', iss: url, exp: 4_000_000_000 })
    for (const header of [
      { alg: 'HS256', jku: url, kid: url },
      { alg: 'RS256', x5u: url, jku: url },
      { alg: 'none', iss: url },
    ]) {
      const token = `${part(header)}.${claims}.${part(header)}`
      expect((await ask(`${hubUrl}/negotiate?access_token=${token}`, { method: 'POST' })).status).toBe(401)
    }
    expect(asked).toBe(0)
  })
})

describe('advisories about requests', () => {
  it('CVE-2023-31125: an upgrade that fits no transport is answered, at every path and with every method', async () => {
    const { port, hubUrl } = await serve()
    const { connectionToken } = await negotiate(hubUrl)
    await ask(`${hubUrl}?id=${connectionToken}`)
    const paths = [
      ...['/msg/negotiate', '/msg/events', '/msg/serverchannel.js', '/api/messages', '/livez', '/', '/msg/', '*'],
      ...[
        `/msg?id=${connectionToken}`,
        '/msg?id=__proto__',
        '/msg?transport=longPolling&id=x',
        '/msg?position=x',
        '/msg?%',
      ],
    ]
    for (const path of paths) {
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'PUT']) {
        const raw = await openRaw(
          port,
          `${UPGRADE_HEAD.replace('GET /msg', `${method} ${path}`)}Content-Length: 0\r\n\r\n`,
        )
        await until(() => raw.text().includes('\r\n\r\n'), `${method} ${path} is answered`)
        expect([path, method, raw.text()]).toEqual([path, method, expect.stringMatching(/^HTTP\/1\.1 (?:101|4\d\d) /)])
        raw.socket.destroy()
      }
    }
    expect((await ask(`${hubUrl}/negotiate`, { method: 'POST' })).status).toBe(200)
  })

  it.each([
    ['polled', {}],
    ['streamed', EVENTS],
  ])(
    'CVE-2026-59725: POSTs that break off, overlap, or come after the end are answered or forgotten: %s',
    async (_, accept) => {
      const { hubUrl, channel } = await serve()
      const own = await negotiateUrl(hubUrl)
      const reading = startAsking(own, { headers: accept })
      await until(reading.isAnswered, 'the transport is open')
      expect((await post(own, HANDSHAKE).answer).status).toBe(200)
      // Begun, and then: broken off; ended while others overtake it; and still open when the connection is gone.
      const broken = startAsking(own, { method: 'POST', isOpen: true })
      broken.request.write('{"type"')
      const slow = startAsking(own, { method: 'POST', isOpen: true })
      slow.request.write('{"type":')
      const last = startAsking(own, { method: 'POST', isOpen: true })
      broken.request.destroy()
      const overtaking = range(1, 20).map(() => post(own, `{"type":6}${RECORD_END}`))
      slow.request.end(`6}${RECORD_END}`)
      last.request.end('')
      const statuses = await Promise.all([slow, last, ...overtaking].map(async ({ answer }) => (await answer).status))
      expect(new Set(statuses)).toEqual(new Set([200]))
      const late = startAsking(own, { method: 'POST', isOpen: true })
      await ask(hubUrl)
      // What streams has no DELETE; its client hangs up.
      if (accept === EVENTS) {
        reading.request.destroy()
        await until(() => channel.connectionCount === 0, 'it is gone')
      } else expect((await ask(own, { method: 'DELETE' })).status).toBe(202)
      late.request.end(`{"type":6}${RECORD_END}`)
      expect([200, 404]).toContain((await late.answer).status)
      expect((await post(own, 'x').answer).status).toBe(404)
      reading.request.destroy()
      await until(() => channel.connectionCount === 0, 'it is gone')
    },
  )

  it.each([
    ['nothing but separators', HANDSHAKE + RECORD_END.repeat(130_000), ''],
    ['pings', HANDSHAKE + `{"type":6}${RECORD_END}`.repeat(11_000), ''],
    [
      'messages of MessagePack without bytes',
      `{"protocol":"messagepack","version":1}${RECORD_END}`,
      '\0'.repeat(130_000),
    ],
  ])('CVE-2026-32689: a POST full of %s is taken in turns, and little stays of it', async (_, first, rest) => {
    const { hubUrl, port, channel } = await serve()
    const bystander = await openClient(port)
    const own = await negotiateUrl(hubUrl)
    await ask(own)
    let turns = 0
    const count = setInterval(() => turns++, 1)
    onTestFinished(() => clearInterval(count))
    const before = process.cpuUsage()
    const sent = await Promise.all([first, rest].filter(Boolean).map((body) => post(own, body).answer))
    for (const { status } of sent) expect(status).toBe(200)
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000)
    expect(turns).toBeGreaterThan(0)
    await channel.postMessageToAll('Still', 'here')
    await until(() => bystander.bodies().includes('here'), 'the bystander gets what is posted')
  })

  it.each<[string, ServerChannelOptions, string]>([
    ['of the process', { connectionsMax: 3 }, ''],
    ['of an address', { connectionsPerAddressMax: 3 }, ''],
    ['of a user', { connectionsPerUserMax: 3 }, 'user=anna'],
  ])(
    'CVE-2026-30241: the number of connections %s is bounded on every transport, and over all of them',
    async (_, options, query) => {
      const { hubUrl, channel } = await serve(options)
      const asAnna = (url: string): string => `${url}${url.includes('?') ? '&' : '?'}${query}`
      const openOwn = async (headers: Headers): Promise<number> => {
        const { text } = await ask(asAnna(`${hubUrl}/negotiate?negotiateVersion=1`), { method: 'POST' })
        const { connectionToken } = JSON.parse(text) as { connectionToken: string }
        const stream = await openStream(asAnna(`${hubUrl}?id=${connectionToken}`), headers)
        onTestFinished(() => void stream.request.destroy())
        return stream.response.statusCode ?? 0
      }
      const events = async (): Promise<number> => {
        const stream = await openStream(asAnna(`${hubUrl}/events`))
        onTestFinished(() => void stream.request.destroy())
        return stream.response.statusCode ?? 0
      }
      const ways = {
        WebSockets: () => upgrade(asAnna(hubUrl)),
        ServerSentEvents: () => openOwn(EVENTS),
        LongPolling: () => openOwn({ Accept: '*/*' }),
        EventSource: events,
      }
      expect([await ways.WebSockets(), await ways.ServerSentEvents(), await ways.LongPolling()]).toEqual([
        101, 200, 200,
      ])
      for (const [name, open] of Object.entries(ways)) expect([name, await open()]).toEqual([name, 503])
      expect(channel.connectionCount).toBe(3)
    },
  )
})

describe('requests that two servers may read in two ways', () => {
  const next = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const chunked = 'Transfer-Encoding: chunked'

  it.each([
    ['a length and chunks', `Content-Length: ${next.length + 5}\r\n${chunked}`, `0\r\n\r\n${next}`],
    ['chunks and a length', `${chunked}\r\nContent-Length: 5`, `0\r\n\r\n${next}`],
    ['two lengths', 'Content-Length: 0\r\nContent-Length: 40', next],
    ['a length with a sign', 'Content-Length: +0', next],
    ['a length with a comma', 'Content-Length: 0, 0', next],
    ['a length in hexadecimal digits', 'Content-Length: 0x0', next],
    ['chunks that are not the last coding', 'Transfer-Encoding: chunked, identity', `0\r\n\r\n${next}`],
    ['a coding that is none', 'Transfer-Encoding: xchunked', `0\r\n\r\n${next}`],
    ['a chunk’s length that is none', chunked, `0x0\r\n\r\n${next}`],
    ['a chunk that is longer than it says', chunked, `1\r\nab\r\n0\r\n\r\n${next}`],
    ['a name with a blank', `Content-Length : 0\r\n${chunked}`, `0\r\n\r\n${next}`],
    ['a line that ends in a carriage return alone', `X: y\rContent-Length: 0\r\n${chunked}`, `0\r\n\r\n${next}`],
  ])('are refused, and what follows them is no request: %s', async (_, headers, body) => {
    const { port } = await serve()
    const raw = await openRaw(port, `POST /msg/negotiate HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n${body}`)
    await until(raw.isEnded, 'the connection is closed')
    // The request itself may have been answered where only the end of its body is wrong.
    expect(raw.text()).toMatch(/^HTTP\/1\.1 (?:400|200) /)
    expect(raw.text().match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect(raw.text()).not.toContain('ok\n')
  })
})
