import type { IncomingMessage } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ChannelError } from '../src/channel/channel-error.ts'
import { NODE_HEADER, NodeSignatures } from '../src/transports/node-signature.ts'
import { FakeClock } from './fake-clock.ts'
import { openNodes, type SceneNode, upgrade } from './node-scene.ts'
import { openRaw, serveChannel } from './served-channel.ts'
import { ask, negotiate } from './transport-http.ts'
import { until } from './until.ts'

const CLIENT = { address: '2001:db8::7', isEncrypted: true }

function createPair() {
  const clock = new FakeClock()
  const key = Buffer.alloc(32, 1)
  return { clock, key, a: new NodeSignatures(key, 'a', clock), b: new NodeSignatures(key, 'b', clock) }
}

function requestWith(header: string | string[] | undefined, method = 'GET', url = '/msg?id=1'): IncomingMessage {
  return { method, url, headers: { [NODE_HEADER]: header } } as unknown as IncomingMessage
}

describe('a signature of a node', () => {
  it('proves who sends a request, and for which client', () => {
    const { a, b } = createPair()
    expect(b.verify(requestWith(a.sign('b', 'GET', '/msg?id=1', CLIENT)))).toEqual({ from: 'a', client: CLIENT })
    const nobody = { address: '', isEncrypted: false }
    expect(b.verify(requestWith(a.sign('b', 'GET', '/msg?id=1', nobody)))).toEqual({ from: 'a', client: nobody })
    expect(b.verify(requestWith(undefined))).toBeUndefined()
  })

  it('is for one node, method and address', () => {
    const { a, b } = createPair()
    const sign = (): string => a.sign('b', 'GET', '/msg?id=1', CLIENT)
    expect(() => b.verify(requestWith(sign(), 'POST'))).toThrow('not come from a node')
    expect(() => b.verify(requestWith(sign(), 'GET', '/msg?id=2'))).toThrow('not come from a node')
    expect(() => a.verify(requestWith(sign()))).toThrow('not come from a node')
    expect(() => new NodeSignatures(Buffer.alloc(32, 2), 'b', new FakeClock()).verify(requestWith(sign()))).toThrow()
  })

  it('is none with any part of it changed', () => {
    const { a, b } = createPair()
    const header = a.sign('b', 'GET', '/msg?id=1', CLIENT)
    for (let index = 0; index < header.length; index++) {
      const other = header[index] === 'A' ? 'B' : 'A'
      const changed = header.slice(0, index) + other + header.slice(index + 1)
      // The last character of the MAC has bits that say nothing.
      const isSameMac = Buffer.from(changed.split(' ')[4] ?? '', 'base64url').equals(
        Buffer.from(header.split(' ')[4] ?? '', 'base64url'),
      )
      if (isSameMac && changed.split(' ')[4] !== header.split(' ')[4]) continue
      expect(() => b.verify(requestWith(changed))).toThrow()
    }
    for (const nonsense of ['', ' ', '1', '1 a 0 x y http', 'x'.repeat(10_000), '\0', header.slice(2)]) {
      expect(() => b.verify(requestWith(nonsense))).toThrow()
    }
    expect(() => b.verify(requestWith([header, header]))).toThrow()
  })

  it('is none in any other text, and nothing but that', () => {
    const { b } = createPair()
    const words = fc.array(fc.oneof(fc.string(), fc.constantFrom('1', 'a', '1000000', 'http', '')), { maxLength: 9 })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          words.map((parts) => parts.join(' ')),
        ),
        (header) => {
          expect(() => b.verify(requestWith(header))).toThrow(ChannelError)
        },
      ),
    )
  })

  it('is taken once', () => {
    const { clock, a, b } = createPair()
    const header = a.sign('b', 'GET', '/msg?id=1', CLIENT)
    b.verify(requestWith(header))
    expect(() => b.verify(requestWith(header))).toThrow('not come from a node')
    clock.advance(29_000)
    expect(() => b.verify(requestWith(header))).toThrow('not come from a node')
  })

  it('is good for half a minute, before and after', () => {
    const { clock, key, a, b } = createPair()
    const late = a.sign('b', 'GET', '/msg?id=1', CLIENT)
    clock.advance(30_001)
    expect(() => b.verify(requestWith(late))).toThrow('the clocks of the nodes need to agree')
    const ahead = new FakeClock()
    ahead.advance(90_002)
    const early = new NodeSignatures(key, 'a', ahead).sign('b', 'GET', '/msg?id=1', CLIENT)
    expect(() => b.verify(requestWith(early))).toThrow('the clocks of the nodes need to agree')
    clock.advance(30_001)
    b.verify(requestWith(early))
    // It is remembered for as long as it is good.
    clock.advance(59_999)
    expect(() => b.verify(requestWith(early))).toThrow()
  })
})

/** A TCP proxy that keeps what went through it towards the node. */
async function record(port: number): Promise<{ readonly url: string; readonly sent: () => string }> {
  const parts: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1')
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        target.destroy()
      })
    }
    client.on('data', (data: Buffer) => parts.push(data))
    client.pipe(target).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('It does not listen')
  return { url: `http://127.0.0.1:${address.port}`, sent: () => Buffer.concat(parts).toString('latin1') }
}

describe('a node', () => {
  it.each(['forged', '', '1 b 1800000000000 aaaa AAAA http 127.0.0.1'])(
    'refuses what only says that it is of a node, before anything else (CVE-2026-29785), on upgrades too (GHSA-c4j6-fc7j-m34r): %j',
    async (header) => {
      const [a, b] = await openNodes(['a', 'b'])
      const { connectionToken } = await negotiate(`${a.url}/msg`)
      const headers = { [NODE_HEADER]: header }
      for (const { url } of [a, b] as readonly SceneNode[]) {
        const at = `${url}/msg?id=${connectionToken}`
        for (const method of ['GET', 'POST', 'DELETE']) {
          expect((await ask(at, { method, headers })).status).toBe(403)
        }
        expect((await ask(`${url}/msg/negotiate`, { method: 'POST', headers })).status).toBe(403)
        expect((await ask(`${url}/msg/events`, { headers })).status).toBe(403)
        expect(await upgrade(at, headers)).toBe(403)
        const claim = `${url}/msg/claim?id=${connectionToken}`
        expect((await ask(claim, { method: 'POST', headers })).status).toBe(403)
        expect((await ask(claim, { method: 'POST' })).status).toBe(403)
        expect((await ask(claim)).status).toBe(403)
      }
      expect(await upgrade(`${a.url}/msg?id=${connectionToken}`)).toBe(101)
    },
  )

  it('does not take a request of another node twice', async () => {
    const [a] = await openNodes(['a'])
    const way = await record(a.port)
    const [b] = await openNodes(['b'], { addresses: { a: way.url } })
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    expect((await ask(`${b.url}/msg?id=${connectionToken}`)).status).toBe(200)
    const sent = way.sent()
    expect(sent).toMatch(/x-serverchannel-node: 1 b /i)
    const replayed = await openRaw(a.port, sent)
    await until(() => replayed.text().includes('\r\n\r\n'), 'the replay is answered')
    expect(replayed.text()).toMatch(/^HTTP\/1\.1 403 /)
  })

  it('neither takes nor passes on what was meant for another node', async () => {
    const [owner] = await openNodes(['a'])
    const { connectionToken } = await negotiate(`${owner.url}/msg`)
    const [c] = await openNodes(['c'], { addresses: { a: owner.url } })
    const [b] = await openNodes(['b'], { addresses: { a: c.url } })
    expect((await ask(`${b.url}/msg?id=${connectionToken}`)).status).toBe(403)
    expect(await upgrade(`${b.url}/msg?id=${connectionToken}`)).toBe(404)
    expect(b.log.join('')).toContain('do secret, addresses and clocks agree?')
    expect((await ask(`${c.url}/msg?id=${connectionToken}`)).status).toBe(200)
  })

  it('has no path for claims where it is the only one', async () => {
    const [a] = await openNodes(['a'])
    const { url } = await serveChannel()
    expect((await ask(`${url}/msg/claim?id=1`, { method: 'POST' })).status).toBe(404)
    expect((await ask(`${a.url}/msg/claim?id=1`, { method: 'POST' })).status).toBe(403)
  })
})
