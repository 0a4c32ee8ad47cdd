import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NodeTokens } from '../src/transports/node-token.ts'
import { openNodes, upgrade } from './node-scene.ts'
import { openClient, serveChannel } from './served-channel.ts'
import { ask, negotiate, post } from './transport-http.ts'
import { until } from './until.ts'

const ADA = { Authorization: 'Bearer ada' }
const EVE = { Authorization: 'Bearer eve' }
const GONE = [404, 'No Connection with that ID'] as const
const TICKET = { node: 'a', id: 'connection-1', version: 1, isStateful: false, expiresAt: 1_800_000_000_123 }

describe('a token of one of many nodes', () => {
  const tokens = new NodeTokens(Buffer.alloc(32, 1), '/msg')

  it.each([TICKET, { ...TICKET, isStateful: true, node: 'a-node_with-a-long-name-of-32-chs', expiresAt: 0 }])(
    'says what the node said: %o',
    (ticket) => {
      const token = tokens.seal(ticket, 'ada')
      expect(token).toMatch(/^[\w-]{80,160}$/)
      expect(tokens.open(token)).toEqual(ticket)
    },
  )

  it('is the id, where there are no tokens', () => {
    const token = tokens.seal({ ...TICKET, version: 0 }, undefined)
    expect(tokens.open(token)).toEqual({ ...TICKET, version: 0, id: token })
  })

  it('is for one user', () => {
    const token = tokens.seal(TICKET, 'ada')
    expect(['ada', 'Ada', '', undefined].map((user) => tokens.isFor(token, user))).toEqual([true, false, false, false])
    const nobodys = tokens.seal(TICKET, undefined)
    expect(['', undefined, 'null'].map((user) => tokens.isFor(nobodys, user))).toEqual([false, true, false])
    expect(Buffer.from(token, 'base64url').toString('latin1')).not.toContain('ada')
  })

  it('is none with any bit changed, cut short, made longer or written otherwise', () => {
    const token = tokens.seal(TICKET, 'ada')
    const bytes = Buffer.from(token, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(tokens.open(changed.toString('base64url'))).toBeUndefined()
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(tokens.open(bytes.subarray(0, length).toString('base64url'))).toBeUndefined()
    }
    for (const other of [`${token}=`, `${token}A`, ` ${token}`, `${token}\n`, token.repeat(8), '\0', 'é'.repeat(100)]) {
      expect(tokens.open(other)).toBeUndefined()
    }
    expect(tokens.open(bytes.toString('base64'))).toBeUndefined()
  })

  it('is none in any other text or bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 400 }).map((some) => Buffer.from(some).toString('base64url'))
    fc.assert(fc.property(fc.oneof(fc.string(), bytes), (text) => tokens.open(text) === undefined))
  })

  it('is none at another path, or with another secret', () => {
    const token = tokens.seal(TICKET, 'ada')
    expect(new NodeTokens(Buffer.alloc(32, 1), '/other').open(token)).toBeUndefined()
    expect(new NodeTokens(Buffer.alloc(32, 2), '/msg').open(token)).toBeUndefined()
  })
})

describe('a token', () => {
  it('is 22 characters where there is but one node', async () => {
    const { hubUrl } = await serveChannel()
    expect((await negotiate(hubUrl)).connectionToken).toMatch(/^[\w-]{22}$/)
  })

  it('serves at its own hub only, whichever node is asked', async () => {
    const [a, b] = await openNodes(['a', 'b'])
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    for (const { url } of [a, b]) {
      const { status, text } = await ask(`${url}/other?id=${connectionToken}`)
      expect([status, text]).toEqual(GONE)
      expect(await upgrade(`${url}/other?id=${connectionToken}`)).toBe(404)
    }
    expect(await upgrade(`${b.url}/msg?id=${connectionToken}`)).toBe(101)
  })

  it('is of no use to another user, on any node and transport, and is not spoiled by one', async () => {
    const [a, b] = await openNodes(['a', 'b'])
    const { connectionToken } = await negotiate(`${a.url}/msg`, ADA)
    for (const { url } of [a, b]) {
      const at = `${url}/msg?id=${connectionToken}`
      for (const headers of [EVE, {}]) {
        expect((await ask(at, { headers })).status).toBe(401)
        expect((await ask(at, { headers: { ...headers, Accept: 'text/event-stream' } })).status).toBe(401)
        expect((await post(at, 'x', headers).answer).status).toBe(401)
        expect((await ask(at, { method: 'DELETE', headers })).status).toBe(401)
        expect(await upgrade(at, headers)).toBe(401)
      }
    }
    expect(await upgrade(`${b.url}/msg?id=${connectionToken}`, ADA)).toBe(101)
  })

  it('opens one connection, on whichever node', async () => {
    const [a, b, c] = await openNodes(['a', 'b', 'c'])
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    const at = `/msg?id=${connectionToken}`
    expect(await upgrade(b.url + at)).toBe(101)
    expect(b.channel.connectionCount).toBe(1)
    expect(await Promise.all([a, b, c].map(({ url }) => upgrade(url + at)))).toEqual([404, 409, 404])
    // As one server would say, whichever node is asked.
    for (const { url } of [a, b, c]) {
      expect((await ask(url + at)).text).toBe('Cannot change transports mid-connection')
      expect((await post(url + at, 'x').answer).status).toBe(405)
    }
  })

  it('opens one connection where several nodes are asked at once', async () => {
    const [a, b, c] = await openNodes(['a', 'b', 'c'])
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    const asked = [b, b, c, c].map(({ url }) => upgrade(`${url}/msg?id=${connectionToken}`))
    expect((await Promise.all(asked)).filter((status) => status === 101)).toHaveLength(1)
  })

  it('does not serve a WebSocket elsewhere once its connection is open', async () => {
    const [a, b] = await openNodes(['a', 'b'])
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    expect((await ask(`${a.url}/msg?id=${connectionToken}`)).status).toBe(200)
    expect(await upgrade(`${b.url}/msg?id=${connectionToken}`)).toBe(404)
    expect((await ask(`${a.url}/msg?id=${connectionToken}`, { method: 'DELETE' })).status).toBe(202)
  })

  it('keeps the id that the client was told, in version 0 too', async () => {
    const [a, b] = await openNodes(['a', 'b'])
    const { text } = await ask(`${a.url}/msg/negotiate`, { method: 'POST' })
    const { connectionId } = JSON.parse(text) as { connectionId: string }
    await openClient(b.port, `/msg?id=${connectionId}`)
    expect(await b.channel.addToGroup(connectionId, 'group')).toBe(true)
    const negotiated = await negotiate(`${b.url}/msg`)
    expect((await ask(`${a.url}/msg?id=${negotiated.connectionToken}`)).status).toBe(200)
    expect(await b.channel.addToGroup(negotiated.connectionId, 'group')).toBe(false)
    // The public id of version 1 opens nothing.
    expect((await ask(`${a.url}/msg?id=${negotiated.connectionId}`)).status).toBe(404)
  })
})

describe('a token whose node does not answer', () => {
  it('opens one WebSocket, until it is over', async () => {
    const [a, b] = await openNodes(['a', 'b'])
    const first = await negotiate(`${a.url}/msg`, ADA)
    const second = await negotiate(`${a.url}/msg`, ADA)
    await a.die()
    expect(await upgrade(`${b.url}/msg?id=${first.connectionToken}`, EVE)).toBe(401)
    expect(await upgrade(`${b.url}/msg?id=${first.connectionToken}`, ADA)).toBe(101)
    expect(await upgrade(`${b.url}/msg?id=${first.connectionToken}`, ADA)).toBe(409)
    const both = [1, 2].map(() => upgrade(`${b.url}/msg?id=${second.connectionToken}`, ADA))
    expect((await Promise.all(both)).filter((status) => status === 101)).toHaveLength(1)
    expect(b.channel.connectionCount).toBe(2)
  })

  it('opens nothing after its end', async () => {
    const [a, b] = await openNodes(['a', 'b'], { disconnectTimeoutMs: 100 })
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    const end = Date.now() + 100
    await a.die()
    await until(() => Date.now() > end, 'the token is over')
    expect(await upgrade(`${b.url}/msg?id=${connectionToken}`)).toBe(404)
  })

  it('is answered at once, as one that nobody knows, on all other requests', async () => {
    const [a, b] = await openNodes(['a', 'b'])
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    await a.die()
    const at = `${b.url}/msg?id=${connectionToken}`
    const answers = await Promise.all([
      ask(at),
      ask(at, { headers: { Accept: 'text/event-stream' } }),
      post(at, 'x'.repeat(100_000)).answer,
      ask(at, { method: 'DELETE' }),
    ])
    for (const { status, text } of answers) expect([status, text]).toEqual(GONE)
    expect(b.log.filter((line) => line.includes('A node does not answer as it should'))).toHaveLength(1)
    expect(b.log.join('')).not.toContain(connectionToken)
  })

  it('is one that nobody knows where its node is not configured any more', async () => {
    const [a] = await openNodes(['a'])
    const [b] = await openNodes(['b'])
    const { connectionToken } = await negotiate(`${a.url}/msg`)
    expect((await ask(`${b.url}/msg?id=${connectionToken}`)).status).toBe(404)
    expect(await upgrade(`${b.url}/msg?id=${connectionToken}`)).toBe(404)
  })
})
