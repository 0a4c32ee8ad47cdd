import { describe, expect, it, onTestFinished } from 'vitest'
import { openRaw } from './served-channel.ts'
import { ask } from './transport-http.ts'
import { openTransportScene, type TransportScene, type TransportSceneOptions } from './transport-scene.ts'
import { until } from './until.ts'

const TRANSPORTS =
  '[{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]'

async function open(options?: TransportSceneOptions): Promise<TransportScene> {
  const scene = await openTransportScene(options)
  onTestFinished(() => scene.close())
  return scene
}

function negotiate(scene: TransportScene, query = '?negotiateVersion=1'): ReturnType<typeof ask> {
  return ask(`${scene.url}/negotiate${query}`, { method: 'POST' })
}

async function negotiated(scene: TransportScene, query?: string): Promise<Record<string, unknown>> {
  return JSON.parse((await negotiate(scene, query)).text) as Record<string, unknown>
}

describe('N1: negotiation', () => {
  it('is asked with POST and answered in JSON, with its length, and kept by no cache', async () => {
    const { status, headers, text } = await negotiate(await open())
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'cache-control': 'no-store',
    })
  })

  it.each(['GET', 'PUT', 'DELETE', 'HEAD', 'PATCH'])('is refused with 405 to %s', async (method) => {
    const scene = await open()
    const answer = await ask(`${scene.url}/negotiate?negotiateVersion=1`, { method })
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([405, '', 'text/plain'])
  })

  it('is found in any case of its path and of the names in its query', async () => {
    const scene = await open()
    const url = scene.url.replace('/msg', '/MSG/Negotiate')
    const { text } = await ask(`${url}?NEGOTIATEVERSION=1`, { method: 'POST' })
    expect(JSON.parse(text)).toMatchObject({ negotiateVersion: 1 })
  })

  it.each([
    ['with a length', 'Content-Length: 11\r\n\r\n{"not":"us"'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    ['of no length', 'Content-Length: 0\r\n\r\n'],
  ])('does not look at its body: %s', async (_, rest) => {
    const scene = await open()
    const head = 'POST /msg/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: localhost\r\n'
    const raw = await openRaw(scene.port, head + rest)
    await until(() => raw.text().includes('availableTransports'), 'the answer is there')
    expect(raw.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })
})

describe('N2: the version', () => {
  it.each([
    ['left out is 0', '', 0],
    ['0 is 0', '?negotiateVersion=0', 0],
    ['1 is 1', '?negotiateVersion=1', 1],
    ['later ones are 1', '?negotiateVersion=7', 1],
    ['may have a sign', '?negotiateVersion=%2B1', 1],
  ])('%s', async (_, query, version) => {
    expect((await negotiated(await open(), query))['negotiateVersion']).toBe(version)
  })

  it.each([
    ['below 0', '-1', "The client requested version '-1', but the server does not support this version."],
    ['a word', 'abc', 'The client requested a non-integer protocol version.'],
    ['empty', '', 'The client requested a non-integer protocol version.'],
    ['a fraction', '1.5', 'The client requested a non-integer protocol version.'],
    ['beyond an integer', '99999999999', 'The client requested a non-integer protocol version.'],
  ])('that is %s is refused with status 200, in the words of .NET', async (_, version, error) => {
    const { status, text } = await negotiate(await open(), `?negotiateVersion=${version}`)
    expect([status, text]).toEqual([200, JSON.stringify({ error })])
  })
})

describe('N3: the answer', () => {
  it('has the keys of version 1 in their order, and ids of 22 characters that differ', async () => {
    const { text } = await negotiate(await open())
    const shape =
      /^\{"negotiateVersion":1,"connectionId":"(.{22})","connectionToken":"(.{22})","availableTransports":(.*)\}$/
    const [, id, token, transports] = shape.exec(text) ?? []
    expect(transports).toBe(TRANSPORTS)
    expect(id).not.toBe(token)
  })

  it('has no token in version 0', async () => {
    const { text } = await negotiate(await open(), '')
    expect(text).toMatch(/^\{"negotiateVersion":0,"connectionId":".{22}","availableTransports":\[.*\]\}$/)
  })

  it('has other ids each time', async () => {
    const scene = await open()
    const answers = await Promise.all(Array.from({ length: 20 }, () => negotiated(scene)))
    const ids = answers.flatMap(({ connectionId, connectionToken }) => [connectionId, connectionToken])
    expect(new Set(ids).size).toBe(40)
  })
})

describe('N4, N7: what the answer never has', () => {
  it.each(['?negotiateVersion=1', '?negotiateVersion=1&useStatefulReconnect=1'])('to %s', async (query) => {
    const answer = await negotiated(await open(), query)
    expect(answer).not.toHaveProperty('useStatefulReconnect')
    expect(answer).not.toHaveProperty('ProtocolVersion')
  })
})

describe('N6: what was negotiated', () => {
  it('can be opened for 15 s and not any more then', async () => {
    const scene = await open()
    const [first, second] = [await negotiated(scene), await negotiated(scene)]
    scene.clock.advance(14_999)
    const poll = (token: unknown): ReturnType<typeof ask> => ask(`${scene.url}?id=${String(token)}`)
    expect((await poll(first['connectionToken'])).status).toBe(200)
    scene.clock.advance(1)
    const late = await poll(second['connectionToken'])
    expect([late.status, late.text]).toEqual([404, 'No Connection with that ID'])
  })

  it('is no more than its bound at any time, and makes room when it is opened or forgotten', async () => {
    const scene = await open({ limits: { negotiatedMax: 2 } })
    const first = await negotiated(scene)
    await negotiated(scene)
    const refused = await negotiate(scene)
    expect([refused.status, refused.headers['content-type']]).toEqual([503, 'application/problem+json'])
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'too_many_negotiations', retry: true })
    await ask(`${scene.url}?id=${String(first['connectionToken'])}`)
    expect((await negotiate(scene)).status).toBe(200)
    expect((await negotiate(scene)).status).toBe(503)
    scene.clock.advance(16_000)
    expect((await negotiate(scene)).status).toBe(200)
  })

  it('is refused 401 to those who may not connect, with the reason that clients show', async () => {
    const scene = await open({ authenticate: () => null })
    const { status, reason, headers, text } = await negotiate(scene)
    expect([status, reason, headers['www-authenticate']]).toEqual([401, 'Unauthorized', 'Bearer'])
    expect(JSON.parse(text)).toMatchObject({ code: 'token_rejected', status: 401 })
  })
})
