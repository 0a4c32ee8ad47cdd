import { request as httpRequest, type IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { type NodeSceneOptions, openNodes, type SceneNode } from './node-scene.ts'
import {
  ask,
  HANDSHAKE,
  negotiate,
  openStream,
  post,
  type Question,
  type Stream,
  startAsking,
} from './transport-http.ts'
import { until } from './until.ts'

const KEPT = { Connection: 'keep-alive' }

/** A client of `a` whose requests all go through `b`. */
interface Guest {
  readonly a: SceneNode
  readonly b: SceneNode
  readonly at: string
}

async function openGuest(options: NodeSceneOptions = {}): Promise<Guest> {
  const [a, b] = await openNodes(['a', 'b'], { closeTimeoutMs: 4000, ...options })
  const { connectionToken } = await negotiate(`${a.url}/msg`)
  const { url } = await b.channel.listen()
  return { a, b, at: `${url}/msg?id=${connectionToken}` }
}

async function openEvents(guest: Guest): Promise<Stream> {
  const stream = await openStream(guest.at, KEPT)
  await post(guest.at, HANDSHAKE).answer
  await until(() => stream.text().includes('{}'), 'the handshake is answered')
  return stream
}

/** With a poll that waits. */
async function openPoll(guest: Guest): Promise<Question> {
  await ask(guest.at)
  await post(guest.at, HANDSHAKE).answer
  expect((await ask(guest.at)).text).toBe('{}\x1e')
  const poll = startAsking(guest.at, { headers: KEPT })
  await guest.a.channel.postMessageToAll('First')
  expect((await poll.answer).text).toContain('First')
  const before = guest.a.requestCount()
  const next = startAsking(guest.at, { headers: KEPT })
  await until(() => guest.a.requestCount() > before, 'the poll waits')
  return next
}

/** Closes it, and says how long that took. */
async function close({ channel }: SceneNode): Promise<number> {
  const start = performance.now()
  await channel.close()
  return performance.now() - start
}

describe('the node that has a client goes down', () => {
  it('and says so on a stream that goes through another', async () => {
    const guest = await openGuest()
    const stream = await openEvents(guest)
    expect(await close(guest.a)).toBeLessThan(3000)
    await until(stream.isEnded, 'the stream has ended')
    expect(stream.text()).toMatch(/"type":7,.*"allowReconnect":true/)
    expect(stream.response.complete).toBe(true)
  })

  it('and says so to one who polls through another', async () => {
    const guest = await openGuest()
    const poll = await openPoll(guest)
    const closed = close(guest.a)
    expect((await poll.answer).text).toMatch(/"type":7,.*"allowReconnect":true/)
    expect(await closed).toBeLessThan(3000)
    expect((await ask(guest.at)).status).toBe(404)
  })
})

describe('the node that a client goes through goes down', () => {
  it('and ends its stream at once', async () => {
    const guest = await openGuest()
    const stream = await openEvents(guest)
    expect(await close(guest.b)).toBeLessThan(3000)
    await until(stream.isEnded, 'the stream has ended')
    expect(stream.response.complete).toBe(true)
    await until(() => guest.a.channel.connectionCount === 0, 'the other node knows')
  })

  it('and sends one who polls elsewhere', async () => {
    const guest = await openGuest()
    const poll = await openPoll(guest)
    expect(await close(guest.b)).toBeLessThan(3000)
    const { status, text, headers } = await poll.answer
    expect([status, headers.connection, (JSON.parse(text) as { code: string }).code]).toEqual([
      503,
      'close',
      'server_shutdown',
    ])
    // Its connection lives on: it may poll through any other node.
    const { search } = new URL(guest.at)
    expect((await ask(`${guest.a.url}/msg${search}`, { method: 'DELETE' })).status).toBe(202)
  })
})

describe('bounds by network address', () => {
  function get(url: string, localAddress: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const asked = httpRequest(url, { localAddress, agent: false }, (response: IncomingMessage) => {
        response.resume()
        resolve(response.statusCode)
      })
      asked.on('error', reject).end()
    })
  }

  it('count a client by its own address, through whichever node it comes', async () => {
    const [a, b] = await openNodes(['a', 'b'], { connectionsPerAddressMax: 1 })
    const tokens = await Promise.all([1, 2, 3].map(() => negotiate(`${a.url}/msg`)))
    const [first = '', second = '', third = ''] = tokens.map(({ connectionToken }) => `/msg?id=${connectionToken}`)
    expect(await get(b.url + first, '127.0.0.2')).toBe(200)
    expect(await get(b.url + second, '127.0.0.2')).toBe(503)
    expect(await get(a.url + second, '127.0.0.2')).toBe(503)
    expect(await get(b.url + third, '127.0.0.3')).toBe(200)
  })

  it('serve this machine only in development mode, wherever a request came in', async () => {
    const [a, b] = await openNodes(['a', 'b'], { development: true })
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    const at = `${b.url}/msg?id=${connectionToken}`
    expect((await ask(at, { headers: { Host: 'elsewhere.example.com' } })).status).toBe(403)
    expect((await ask(at, { headers: { Origin: 'https://elsewhere.example.com' } })).status).toBe(403)
    expect((await ask(at)).status).toBe(200)
  })

  it('hold for what is passed on: a body that is too large is refused', async () => {
    const guest = await openGuest({ receivedFrameBytesMax: 1024 })
    await ask(guest.at)
    expect((await post(guest.at, 'x'.repeat(1_000_000)).answer).status).toBe(413)
    const chunked = startAsking(guest.at, { method: 'POST', isOpen: true })
    for (let part = 0; part < 20; part++) chunked.request.write('x'.repeat(100_000))
    chunked.request.end()
    expect((await chunked.answer).status).toBe(413)
    expect((await post(guest.at, HANDSHAKE).answer).status).toBe(200)
    expect((await ask(guest.at, { method: 'DELETE' })).status).toBe(202)
  })
})
