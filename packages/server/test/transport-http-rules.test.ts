import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { range } from './channel-scene.ts'
import { ask, negotiate, negotiateUrl, openStream, startAsking } from './transport-http.ts'
import { openTransportScene, type TransportScene, type TransportSceneOptions } from './transport-scene.ts'
import { until } from './until.ts'

const EVENTS = { Accept: 'text/event-stream' }
const ANNA = { Authorization: 'Bearer anna' }
const BERT = { Authorization: 'Bearer bert' }

let scene: TransportScene

async function open(options?: TransportSceneOptions): Promise<string> {
  scene = await openTransportScene(options)
  return scene.url
}

afterEach(() => scene.close())

/** What an upgrade is answered where it is refused; 101 where it is not, and then the socket is closed again. */
function upgrade(url: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const webSocket = new WebSocket(url.replace('http', 'ws'), { headers })
    webSocket.on('error', () => {})
    webSocket.on('unexpected-response', (_, response) => {
      let text = ''
      response.on('data', (data: Buffer) => {
        text += data.toString()
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    webSocket.on('open', () => {
      webSocket.on('close', () => resolve({ status: 101, text: '' }))
      webSocket.close()
    })
  })
}

describe('H1: a request names its connection', () => {
  it.each(['GET', 'POST', 'DELETE'])('or gets 400: %s', async (method) => {
    const url = await open()
    for (const target of [url, `${url}?id=`, `${url}?other=1`]) {
      const answer = await ask(target, { method })
      expect(answer).toMatchObject({ status: 400, text: 'Connection ID required' })
      expect(answer.headers['content-type']).toBe('text/plain')
    }
  })

  it.each([
    ['GET', {}],
    ['GET', EVENTS],
    ['POST', {}],
    ['DELETE', {}],
  ])('that there is, or gets 404: %s %o', async (method, headers) => {
    const url = await open()
    const { connectionId } = await negotiate(url)
    for (const id of ['nobody', '__proto__', 'constructor', connectionId]) {
      const answer = await ask(`${url}?id=${id}`, { method, headers })
      expect(answer).toMatchObject({ status: 404, text: 'No Connection with that ID' })
      expect(answer.headers['content-type']).toBe('text/plain')
    }
  })

  it('by the token, also with an upgrade', async () => {
    const url = await open()
    const { connectionId, connectionToken } = await negotiate(url)
    const refused = await upgrade(`${url}?id=${connectionId}`)
    expect(refused.status).toBe(404)
    expect(refused.text).toContain('No Connection with that ID')
    expect((await upgrade(`${url}?id=${connectionToken}`)).status).toBe(101)
  })

  it('by the id where the client negotiated version 0, which knows no token', async () => {
    const url = await open()
    const { text } = await ask(`${url}/negotiate`, { method: 'POST' })
    const answer = JSON.parse(text) as { connectionId: string }
    expect(Object.keys(answer)).toEqual(['negotiateVersion', 'connectionId', 'availableTransports'])
    expect((await ask(`${url}?id=${answer.connectionId}`)).status).toBe(200)
  })

  it('with names in any case', async () => {
    const url = await open()
    const { connectionToken } = await negotiate(url.replace('/msg', '/MSG'))
    expect((await ask(`${url.replace('/msg', '/Msg')}?ID=${connectionToken}`)).status).toBe(200)
  })

  it('and not later than it may be opened', async () => {
    const url = await open()
    const own = await negotiateUrl(url)
    scene.clock.advance(scene.limits.disconnectTimeoutMs)
    expect(await ask(own)).toMatchObject({ status: 404, text: 'No Connection with that ID' })
  })
})

describe('H2: other methods', () => {
  it.each(['PUT', 'HEAD', 'PATCH'])('get 405: %s', async (method) => {
    const url = await open()
    const own = await negotiateUrl(url)
    for (const target of [url, own, `${url}/negotiate`, `${url}/events`]) {
      const answer = await ask(target, { method })
      expect(answer).toMatchObject({ status: 405, text: '' })
      expect(answer.headers['content-type']).toBe('text/plain')
      expect(answer.headers.allow).toMatch(/GET|POST/)
    }
  })
})

describe('H3: the first transport wins', () => {
  const CHANGED = { status: 400, text: 'Cannot change transports mid-connection' }

  it('server-sent events', async () => {
    const url = await open()
    const own = await negotiateUrl(url)
    const stream = await openStream(own)
    expect(await ask(own)).toMatchObject(CHANGED)
    expect(await upgrade(own)).toEqual(CHANGED)
    expect(await ask(own, { headers: EVENTS })).toMatchObject({ status: 409, text: '' })
    expect(stream.isEnded()).toBe(false)
    stream.request.destroy()
  })

  it('long polling', async () => {
    const url = await open()
    const own = await negotiateUrl(url)
    await ask(own)
    expect(await ask(own, { headers: EVENTS })).toMatchObject(CHANGED)
    expect(await upgrade(own)).toEqual(CHANGED)
    const poll = startAsking(own)
    expect((await ask(own, { method: 'DELETE' })).status).toBe(202)
    expect((await poll.answer).status).toBe(204)
  })

  it('WebSockets', async () => {
    const url = await open()
    const own = await negotiateUrl(url)
    const webSocket = new WebSocket(own.replace('http', 'ws'))
    await new Promise((resolve) => webSocket.once('open', resolve))
    expect(await ask(own)).toMatchObject(CHANGED)
    expect(await ask(own, { headers: EVENTS })).toMatchObject(CHANGED)
    expect((await upgrade(own)).status).toBe(409)
    expect(webSocket.readyState).toBe(WebSocket.OPEN)
    webSocket.terminate()
  })

  it('of requests at the same time too', async () => {
    const url = await open()
    const own = await negotiateUrl(url)
    const answers = await Promise.all(range(1, 8).map(() => upgrade(own)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 101)).toHaveLength(1)
    // The one that opened is closed again at once: who comes after that finds nothing.
    expect(statuses.filter((status) => ![101, 404, 409].includes(status))).toEqual([])
  })
})

describe('H5: each request is authenticated', () => {
  const onlyNamed: TransportSceneOptions['authenticate'] = ({ headers }) =>
    headers.authorization === undefined ? null : { user: headers.authorization.slice(7) }

  it.each(['GET', 'POST', 'DELETE'])('before anything else is said: %s', async (method) => {
    const url = await open({ authenticate: onlyNamed })
    const own = await negotiateUrl(url, ANNA)
    for (const target of [url, own, `${url}?id=nobody`]) {
      const answer = await ask(target, { method })
      expect(answer).toMatchObject({ status: 401, reason: 'Unauthorized' })
      expect(answer.headers['www-authenticate']).toBe('Bearer')
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'token_rejected' })
    }
    expect((await upgrade(own)).status).toBe(401)
    expect((await ask(`${url}/negotiate`, { method: 'POST' })).status).toBe(401)
    expect((await ask(`${url}/events`)).status).toBe(401)
  })

  it('so that a token is of no use to another user', async () => {
    const url = await open()
    const unopened = await negotiateUrl(url, ANNA)
    const own = await negotiateUrl(url, ANNA)
    await ask(own, { headers: ANNA })
    for (const target of [unopened, own]) {
      for (const headers of [BERT, {}]) {
        for (const method of ['GET', 'POST', 'DELETE']) {
          expect((await ask(target, { method, headers })).status).toBe(401)
        }
        expect((await ask(target, { headers: { ...EVENTS, ...headers } })).status).toBe(401)
        expect((await upgrade(target, headers)).status).toBe(401)
      }
    }
    expect((await ask(unopened, { headers: ANNA })).status).toBe(200)
    expect((await ask(own, { method: 'DELETE', headers: ANNA })).status).toBe(202)
  })

  it('by the query where there is no header', async () => {
    const url = await open()
    const own = await negotiateUrl(url, ANNA)
    expect((await ask(`${own}&access_token=anna`)).status).toBe(200)
    expect((await ask(`${own}&access_token=bert`)).status).toBe(401)
  })

  it('and a connection lives as long as the identity that opened it, not the one that negotiated', async () => {
    let expiresAt = 0
    const url = await open({ authenticate: () => ({ user: 'anna', expiresAt }) })
    expiresAt = scene.clock.now() + 2000
    const own = await negotiateUrl(url)
    expiresAt = scene.clock.now() + 600_000
    const stream = await openStream(own)
    scene.clock.advance(5000)
    expect((await ask(own, { method: 'POST', body: '{"protocol":"json","version":1}\x1e' })).status).toBe(200)
    await until(() => stream.text().includes('{}\x1e'), 'the handshake is answered')
    scene.clock.advance(5000)
    await scene.post('still')
    await until(() => stream.text().includes('still'), 'the message has come')
    expect(stream.text()).not.toContain('"type":7')
    stream.request.destroy()
  })

  it.each<[string, string, Record<string, string>]>([
    ['GET', '', {}],
    ['GET', '', EVENTS],
    ['POST', '', {}],
    ['GET', '/events', {}],
  ])('and a client that left while it was is forgotten: %s %s %o', async (method, path, headers) => {
    let letGo = (): void => {}
    let isAsked = false
    const url = await open({
      authenticate: async ({ headers: { authorization } }) => {
        if (authorization !== 'Bearer slow') return { user: 'anna' }
        isAsked = true
        await new Promise<void>((resolve) => {
          letGo = resolve
        })
        return { user: 'anna' }
      },
    })
    const own = await negotiateUrl(url)
    const target = path ? `${url}${path}` : own
    const { request } = startAsking(target, { method, headers: { ...headers, Authorization: 'Bearer slow' } })
    await until(() => isAsked, 'it is being authenticated')
    let isBroken = false
    request.once('close', () => {
      isBroken = true
    })
    request.destroy()
    await until(() => isBroken, 'the request is broken off')
    // Answered after the server has seen the end of the other.
    await ask(url)
    letGo()
    await ask(url)
    expect(scene.connectionCount).toBe(0)
    expect((await ask(own, { headers: ANNA })).status).toBe(200)
  })
})
