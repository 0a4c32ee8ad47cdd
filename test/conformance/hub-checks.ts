import { type Check, expectEqual, expectMatch, expectThat, improvement, required } from './check.ts'
import { EventStream } from './event-stream.ts'
import { ask, withQuery } from './http.ts'
import { Link } from './link.ts'
import { fetchUserToken, negotiate, parseObject } from './negotiation.ts'
import { overAll } from './over-all.ts'
import { Polling } from './polling.ts'
import type { Scene } from './scene.ts'
import { askUpgrade, Socket } from './socket.ts'

interface Posted {
  readonly seq: unknown
  readonly t: unknown
  readonly body: unknown
}

async function post(scene: Scene, query: Readonly<Record<string, string | number>>, body = 'hello'): Promise<void> {
  const { status } = await ask(scene, withQuery('/post', query), { method: 'POST', body })
  expectEqual(status, 200, 'status of the post')
}

async function readPosted(link: Link): Promise<Posted> {
  const { type, target, arguments: args } = await link.next('a posted message')
  expectEqual({ type, target }, { type: 1, target: 'message' })
  return (args as readonly [Posted])[0]
}

/** What the conformance server serves: what the other checks rest upon, and what it sends to whom. */
export const hubChecks: readonly Check[] = [
  required('6.1', 'answers GET /health with 200', async (scene) => {
    expectEqual((await ask(scene, '/health')).status, 200, 'status')
  }),
  required('6.2', 'serves the hub at /msg, /testhub, /msg-plain and /testhub-nowebsockets', async (scene) => {
    for (const hub of ['/msg', '/testhub', '/msg-plain']) await (await Link.open(scene, { hub })).expectSilence()
    for (const transport of ['ServerSentEvents', 'LongPolling'] as const) {
      const link = await Link.open(scene, { hub: '/testhub-nowebsockets', transport })
      await link.expectResult(transport, 'GetActiveTransportName')
    }
  }),
  required('6.3', 'sends two messages to the caller when it connects to /hellohub', async (scene) => {
    const link = await Link.open(scene, { hub: '/hellohub' })
    for (const seq of [-2, -1]) await link.expect({ type: 1, target: 'message', arguments: [{ seq }] })
  }),
  required('6.4', 'echoes raw connections at /echo, text as text and binary as binary', async (scene) => {
    const socket = await Socket.open(scene, '/echo')
    await socket.send('täxt')
    expectEqual(await socket.next(), { data: Buffer.from('täxt'), isBinary: false })
    await socket.send(Buffer.of(0, 255, 30))
    expectEqual(await socket.next(), { data: Buffer.of(0, 255, 30), isBinary: true })
    const negotiated = await negotiate(scene, '/echo')
    const attached = await Socket.open(scene, withQuery('/echo', { id: negotiated.token }))
    await attached.send('x')
    expectEqual((await attached.next())?.data.toString(), 'x')
  }),
  required('6.5', 'echoes raw connections over server-sent events and long polling', async (scene) => {
    const streamed = await negotiate(scene, '/echo')
    const events = await EventStream.open(scene, '/echo', streamed.token)
    await events.send('x')
    expectEqual((await events.next())?.data.toString(), 'x')
    const polled = await negotiate(scene, '/echo')
    const polling = await Polling.open(scene, '/echo', polled.token)
    await polling.send(Buffer.of(0, 255, 30))
    expectEqual((await polling.next())?.data, Buffer.of(0, 255, 30))
  }),
  required('6.6', 'sends /echoredirect on to /echo with 307, for every method and the upgrade', async (scene) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const { status, headers } = await ask(scene, '/echoredirect/negotiate?a=1', { method })
      expectEqual(status, 307, `status of ${method}`)
      expectMatch(headers.get('location'), /^(?:https?:\/\/[^/]+)?\/echo\/negotiate\?a=1$/, 'Location')
    }
    const upgrade = await askUpgrade(scene, '/echoredirect?a=1')
    expectEqual(upgrade.status, 307, 'status of the upgrade')
    expectMatch(upgrade.headers.get('location'), /^(?:https?:\/\/[^/]+)?\/echo\?a=1$/, 'Location of the upgrade')
  }),
  required('N5.1', 'redirects negotiation by a body with url, to where a client negotiates anew', async (scene) => {
    const base = scene.url.origin
    const path = withQuery('/redirect/negotiate', { negotiateVersion: 1, baseUrl: base })
    const counts: number[] = []
    for (let i = 0; i < 2; i++) {
      const { url, ...rest } = parseObject(await ask(scene, path, { method: 'POST' }))
      expectEqual(rest, {}, 'what else the body says')
      expectMatch(String(url), /\/testhub\?numRedirects=\d+$/i, 'url')
      expectThat(String(url).startsWith(base), `a url at ${base}`, url)
      const { pathname, search } = new URL(String(url))
      const link = await Link.open(scene, { hub: `${pathname}${search}` })
      const { result } = await link.call('GetNumRedirects')
      expectThat(typeof result === 'number', 'a number', result)
      counts.push(result)
    }
    expectEqual(counts[1], (counts[0] ?? 0) + 1, 'the second count')
  }),
  required('6.7', 'answers /bad-negotiate with 400 and its text', async (scene) => {
    const { status, text } = await ask(scene, '/bad-negotiate/negotiate?negotiateVersion=1', { method: 'POST' })
    expectEqual([status, text], [400, 'Some response from server'])
  }),
  required('6.8', 'sets three cookies on negotiate, one of them expired', async (scene) => {
    const { headers } = await ask(scene, '/testhub/negotiate?negotiateVersion=1', { method: 'POST' })
    const cookies = (headers.get('set-cookie') ?? '').split('\n')
    const starting = (start: string): string | undefined => cookies.find((cookie) => cookie.startsWith(start))
    expectThat(starting('testCookie=testValue') !== undefined, 'testCookie=testValue', cookies)
    expectThat(starting('testCookie2=testValue2') !== undefined, 'testCookie2=testValue2', cookies)
    const expires = /expires=([^;]+)/i.exec(starting('expiredCookie=') ?? '')?.[1] ?? ''
    expectThat(Date.parse(expires) < Date.now(), 'expiredCookie with an Expires in the past', cookies)
  }),
  required('6.9', 'gives the headers and cookies of the request that opened the transport', async (scene) => {
    const negotiated = await negotiate(scene)
    const headers = { 'X-Test': 'value', Cookie: 'testCookie=testValue; other=1' }
    const socket = await Socket.open(scene, withQuery('/testhub', { id: negotiated.token }), headers)
    await socket.send('{"protocol":"json","version":1}\x1e')
    const link = new Link(scene, socket, negotiated)
    expectEqual(await link.readHandshake(), '{}')
    await link.expectResult('value', 'GetHeader', 'x-test')
    await link.expectResult(null, 'GetHeader', 'x-absent')
    await link.expectResult('testValue', 'GetCookie', 'testCookie')
    await link.expectResult(null, 'GetCookie', 'absent')
    await link.expectResult(null, 'GetNumRedirects')
    await link.expectResult(null, 'GetContentTypeHeader')
  }),
  ...overAll(
    required,
    '6.10',
    'does what the methods are to do: add, call back, answer under another name',
    async (link) => {
      await link.expectResult(3, 'Add', 1, 2)
      await link.expectResult('renamed', 'renamed')
      await link.expectResult(link.connectionId, 'GetCallerConnectionId')
      const invocationId = await link.start('InvokeWithString', 'hi')
      await link.expect({ type: 1, target: 'Message', arguments: ['hi'] }, { type: 3, invocationId, result: null })
      const value = { a: [1, { b: null }], c: 'd' }
      await link.expectResult(value, 'EchoComplexObject', value)
    },
  ),
  required('6.11', 'gives a complex object as JSON', async (scene) => {
    const link = await Link.open(scene)
    await link.expectResult(
      {
        String: 'hello world',
        IntArray: [1, 2, 3],
        ByteArray: 'AQID',
        Guid: '00010203-0405-0607-0706-050403020100',
        DateTime: '2000-01-01T00:00:00Z',
      },
      'SendComplexObject',
    )
  }),
  ...overAll(
    required,
    '6.12',
    'posts to one connection: so many messages, in order, with their body',
    async (link, scene) => {
      await post(scene, { n: 3, connection: link.connectionId })
      for (const seq of [0, 1, 2]) {
        const { t, ...rest } = await readPosted(link)
        expectEqual(rest, { seq, body: 'hello' })
        expectThat(typeof t === 'number' && Math.abs(t / 1000 - Date.now()) < 60_000, 'the time in µs', t)
      }
      await post(scene, { n: 1, size: 1000, connection: link.connectionId })
      const { body } = await readPosted(link)
      expectThat(typeof body === 'string' && body.length === 1000, 'a body of 1000 characters', body)
    },
  ),
  required('6.13', 'sends to a group those who are in it get, and to a user his connections', async (scene) => {
    const group = `g-${crypto.randomUUID()}`
    const [member, guest] = await Promise.all([Link.open(scene), Link.open(scene)])
    await member.expectResult(null, 'JoinGroup', group)
    await post(scene, { n: 1, group })
    expectEqual((await readPosted(member)).seq, 0)
    await guest.send({ type: 1, target: 'SendGroup', arguments: [group, 'hi'] })
    await member.expect({ type: 1, target: 'message', arguments: ['hi'] })
    await member.expectResult(null, 'LeaveGroup', group)
    await post(scene, { n: 1, group })
    await member.expectSilence()
    await guest.expectSilence()
    const known = await Link.open(scene, { token: await fetchUserToken(scene) })
    await post(scene, { n: 1, user: 'testuser' })
    expectEqual((await readPosted(known)).seq, 0)
    await guest.expectSilence()
  }),
  required('6.14', 'lets an authorized user call a method that needs it', async (scene) => {
    const link = await Link.open(scene, { token: await fetchUserToken(scene) })
    const { error, result } = await link.call('Secret')
    expectThat(error === undefined && result !== undefined, 'a result', error)
  }),
  required(
    '6.15',
    'sends to all what is for all, whatever their transport and protocol',
    async (scene) => {
      const links = await Promise.all([
        Link.open(scene, { hub: '/msg' }),
        Link.open(scene, { hub: '/msg', protocol: 'messagepack' }),
        Link.open(scene, { hub: '/msg', transport: 'ServerSentEvents' }),
        Link.open(scene, { hub: '/msg', transport: 'LongPolling' }),
      ])
      await post(scene, { n: 2 })
      for (const link of links) for (const seq of [0, 1]) expectEqual((await readPosted(link)).seq, seq, 'seq')
      await links[0]?.send({ type: 1, target: 'Broadcast', arguments: [{ to: 'all' }] })
      for (const link of links) await link.expect({ type: 1, target: 'message', arguments: [{ to: 'all' }] })
    },
    { phase: 'alone' },
  ),
  improvement('0.1-ws', 'sends many messages of one moment in few frames', async (scene) => {
    const link = await Link.open(scene)
    await post(scene, { n: 100, connection: link.connectionId })
    const frames = await countPieces(link, 100)
    expectThat(frames <= 25, 'at most 25 frames for 100 messages', frames)
  }),
  improvement('0.1-sse', 'sends many messages of one moment in few events', async (scene) => {
    const link = await Link.open(scene, { transport: 'ServerSentEvents' })
    await post(scene, { n: 100, connection: link.connectionId })
    const events = await countPieces(link, 100)
    expectThat(events <= 25, 'at most 25 events for 100 messages', events)
  }),
]

/** In how many pieces so many messages come. */
async function countPieces({ wire }: Link, messages: number): Promise<number> {
  let count = 0
  let pieces = 0
  while (count < messages) {
    const piece = await wire.next()
    expectThat(piece !== undefined, `${messages} messages`, `the end after ${count}`)
    const found = piece.data.toString().match(/"target":"message"/g)?.length ?? 0
    if (found > 0) pieces++
    count += found
  }
  return pieces
}
