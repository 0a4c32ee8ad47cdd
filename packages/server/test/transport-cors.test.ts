import { afterEach, describe, expect, it } from 'vitest'
import { type Answer, ask, negotiateUrl, openStream } from './transport-http.ts'
import { openTransportScene, type TransportScene } from './transport-scene.ts'

const ALLOWED = 'https://app.example.com'
const ASKED = 'authorization,content-type,x-requested-with,x-signalr-user-agent'
const NOT_ALLOWED = [
  'https://evil.example.com',
  'https://app.example.com.evil.com',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://APP.example.com',
  'null',
  '*',
]

let scene: TransportScene

async function open(): Promise<string> {
  scene = await openTransportScene({ allowedOrigins: ['https://other.example.com', ALLOWED] })
  return scene.url
}

afterEach(() => scene.close())

function corsHeaders({ headers }: Pick<Answer, 'headers'>): string[] {
  return Object.keys(headers).filter((name) => name.startsWith('access-control-'))
}

function expectAllowed({ headers }: Pick<Answer, 'headers'>): void {
  expect(headers['access-control-allow-origin']).toBe(ALLOWED)
  expect(headers['access-control-allow-credentials']).toBe('true')
  expect(headers.vary).toBe('Origin')
}

describe('H6: pages of other origins', () => {
  it('are answered what their browser asks before a request', async () => {
    const url = await open()
    for (const target of [url, `${url}?id=nobody`, `${url}/negotiate?negotiateVersion=1`, `${url}/events`]) {
      const answer = await ask(target, {
        method: 'OPTIONS',
        headers: {
          Origin: ALLOWED,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': ASKED,
        },
      })
      expect(answer).toMatchObject({ status: 204, text: '' })
      expectAllowed(answer)
      expect(answer.headers['access-control-allow-methods']).toBe('GET, POST, DELETE')
      expect(answer.headers['access-control-allow-headers']).toBe(ASKED)
      expect(Number(answer.headers['access-control-max-age'])).toBeGreaterThan(0)
      // RFC 9110, 8.6: never with 204.
      expect(answer.headers).not.toHaveProperty('content-length')
    }
  })

  it('may read every answer, refusals too, if they are on the list', async () => {
    const url = await open()
    const headers = { Origin: ALLOWED }
    const own = await negotiateUrl(url, headers)
    expectAllowed(await ask(`${url}/negotiate?negotiateVersion=1`, { method: 'POST', headers }))
    expectAllowed(await ask(`${url}?id=nobody`, { headers }))
    expectAllowed(await ask(own, { headers }))
    expectAllowed(await ask(own, { method: 'POST', headers, body: '' }))
    expectAllowed(await ask(own, { method: 'POST', headers, body: 'x'.repeat(200_000) }))
    expectAllowed(await ask(own, { method: 'DELETE', headers }))
    expectAllowed(await ask(url, { method: 'PUT', headers }))
    for (const target of [await negotiateUrl(url), `${url}/events`]) {
      const stream = await openStream(target, headers)
      expectAllowed(stream.response)
      stream.request.destroy()
    }
  })

  it.each(NOT_ALLOWED)('get 403 and no leave to read it if they are not on the list: %s', async (origin) => {
    const url = await open()
    const own = await negotiateUrl(url)
    const headers = { Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': ASKED }
    for (const [target, method] of [
      [url, 'OPTIONS'],
      [`${url}/negotiate`, 'OPTIONS'],
      [`${url}/negotiate`, 'POST'],
      [own, 'GET'],
      [own, 'POST'],
      [own, 'DELETE'],
      [`${url}/events`, 'GET'],
    ] as const) {
      const answer = await ask(target, { method, headers })
      expect(answer.status).toBe(403)
      expect(corsHeaders(answer)).toEqual([])
    }
    // Nothing of it has happened to the connection.
    expect((await ask(own)).status).toBe(200)
  })

  it('get 403 where the browser says that the request is from another site without an Origin', async () => {
    const url = await open()
    const own = await negotiateUrl(url)
    for (const site of ['cross-site', 'same-site']) {
      for (const target of [own, `${url}/events`]) {
        expect((await ask(target, { headers: { 'Sec-Fetch-Site': site } })).status).toBe(403)
      }
    }
  })

  it('are told apart by caches, whoever asks', async () => {
    const url = await open()
    for (const headers of [{}, { Origin: `http://127.0.0.1:${scene.port}` }, { Origin: ALLOWED }]) {
      const answer = await ask(`${url}/negotiate`, { method: 'POST', headers })
      expect(answer.status).toBe(200)
      expect(answer.headers.vary).toBe('Origin')
    }
  })

  it('do not exist where the list is empty', async () => {
    scene = await openTransportScene()
    const headers = { Origin: `http://127.0.0.1:${scene.port}` }
    const answer = await ask(`${scene.url}/negotiate`, { method: 'POST', headers })
    expect(answer.status).toBe(200)
    expect(corsHeaders(answer)).toEqual([])
  })
})
