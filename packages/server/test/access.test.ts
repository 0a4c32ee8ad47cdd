import { createSecretKey } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { SignJWT } from 'jose'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { userTokens } from '../src/auth/user-tokens.ts'
import type { ServerChannelOptions } from '../src/options.ts'
import { createServerChannel } from '../src/server.ts'
import type { ServerChannel } from '../src/server-channel.ts'

const SECRET = 'a-secret-of-thirty-two-characters-or-more'
const silent = pino({ level: 'silent' })
const open: ServerChannel[] = []

async function serve(options: ServerChannelOptions): Promise<{ host: string; port: number }> {
  const channel = await createServerChannel({ logger: silent, ...options })
  open.push(channel)
  const { port } = await channel.listen()
  return { host: `127.0.0.1:${port}`, port }
}

afterEach(async () => {
  for (const channel of open.splice(0)) await channel.close()
})

type Headers = Record<string, string>

/** Status of a negotiation with exactly these headers: `fetch` would not send all of them. */
function negotiate(port: number, headers: Headers, path = '/msg/negotiate?negotiateVersion=1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path, method: 'POST', headers })
    sent.on('response', (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Status of an upgrade: 101, or what it is refused with. */
function upgrade(port: number, headers: Headers, path = '/msg'): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
    socket.on('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.on('unexpected-response', (_request, response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    socket.on('error', reject)
  })
}

/** The same question to both doors: negotiation and upgrade answer alike. */
async function ask(port: number, headers: Headers): Promise<'allowed' | number> {
  const [negotiated, upgraded] = [await negotiate(port, headers), await upgrade(port, headers)]
  const answers = [negotiated === 200 ? 'allowed' : negotiated, upgraded === 101 ? 'allowed' : upgraded] as const
  expect(answers[0]).toBe(answers[1])
  return answers[0]
}

describe('the origin of a request', () => {
  it('is the server itself, or one of the allowed ones, compared whole', async () => {
    const { host, port } = await serve({ allowedOrigins: ['https://app.example.com'] })
    expect(await ask(port, { Origin: `http://${host}` })).toBe('allowed')
    // TLS may end at a proxy in front.
    expect(await ask(port, { Host: 'shop.example.com', Origin: 'https://shop.example.com' })).toBe('allowed')
    expect(await ask(port, { Host: 'shop.example.com', Origin: 'https://shop.example.com:443' })).toBe('allowed')
    expect(await ask(port, { Origin: 'https://app.example.com' })).toBe('allowed')
    expect(await ask(port, {})).toBe('allowed')
    for (const origin of [
      'http://app.example.com',
      'https://app.example.com.evil.test',
      'https://evil-app.example.com',
      'https://app.example.com:8443',
      `http://${host}.evil.test`,
      `http://127.0.0.1:${port + 1}`,
      'null',
      'file://',
      'not an origin',
    ]) {
      expect([origin, await ask(port, { Origin: origin })]).toEqual([origin, 403])
    }
  })

  it('is refused where the browser says that the request comes from another site', async () => {
    const { port } = await serve({})
    expect(await negotiate(port, { 'Sec-Fetch-Site': 'cross-site' })).toBe(403)
    expect(await negotiate(port, { 'Sec-Fetch-Site': 'same-site' })).toBe(403)
    expect(await negotiate(port, { 'Sec-Fetch-Site': 'same-origin' })).toBe(200)
  })

  it('is checked before posting too', async () => {
    const { port } = await serve({ development: true })
    const headers = { Origin: 'http://evil.test', 'Content-Type': 'application/json' }
    expect(await negotiate(port, headers, '/api/messages')).toBe(403)
  })

  it('that is none as browsers write it is refused as an option', async () => {
    for (const origin of ['app.example.com', 'https://app.example.com/', 'https://APP.example.com', '*', 'null']) {
      await expect(createServerChannel({ allowedOrigins: [origin] })).rejects.toThrow('allowedOrigins')
    }
  })
})

describe('development mode', () => {
  it('serves loopback names only, so that no page whose name leads here gets in', async () => {
    const { port } = await serve({ development: true })
    for (const host of ['localhost', `localhost:${port}`, '127.0.0.1', '127.1.2.3:80', '[::1]:80', 'app.localhost']) {
      expect([host, await ask(port, { Host: host })]).toEqual([host, 'allowed'])
    }
    for (const host of [
      'evil.test',
      `evil.test:${port}`,
      '127.0.0.1.evil.test',
      'localhost.evil.test',
      '10.0.0.1',
      '',
    ]) {
      const headers = { Host: host, Origin: `http://${host}` }
      expect([host, await negotiate(port, headers)]).toEqual([host, 403])
    }
  })

  it('is refused on an address beyond this machine', async () => {
    const channel = await createServerChannel({ development: true })
    open.push(channel)
    await expect(channel.listen({ host: '0.0.0.0' })).rejects.toThrow('loopback')
  })
})

describe('authenticate', () => {
  it('tells who a client is, at once or later', async () => {
    const { port } = await serve({
      authenticate: (request) => (request.headers.cookie === 'a' ? { user: 'anna' } : Promise.resolve(null)),
    })
    expect(await ask(port, { Cookie: 'a' })).toBe('allowed')
    expect(await ask(port, { Cookie: 'b' })).toBe(401)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['takes too long', () => new Promise<never>(() => {})],
    ['names a user that is none', () => ({ user: '' })],
    ['names a user that is too long', () => ({ user: 'x'.repeat(257) })],
  ])('refuses where it %s', async (_name, authenticate) => {
    const { port } = await serve({ authenticate, authenticationTimeoutMs: 100 })
    expect(await ask(port, {})).toBe(401)
  })

  it('binds what was negotiated to the user who did', async () => {
    const { port } = await serve({ authenticate: (request) => ({ user: String(request.headers.cookie) }) })
    const response = await fetch(`http://127.0.0.1:${port}/msg/negotiate?negotiateVersion=1`, {
      method: 'POST',
      headers: { Cookie: 'anna' },
    })
    const { connectionToken, connectionId } = (await response.json()) as Record<string, string>
    expect(await upgrade(port, { Cookie: 'boris' }, `/msg?id=${connectionToken}`)).toBe(401)
    expect(await upgrade(port, { Cookie: 'anna' }, `/msg?id=${connectionId}`)).toBe(404)
    expect(await upgrade(port, { Cookie: 'anna' }, `/msg?id=${connectionToken}`)).toBe(101)
  })
})

describe('user tokens', () => {
  const key = createSecretKey(Buffer.from(SECRET))
  const claims = (): SignJWT => new SignJWT({}).setSubject('anna').setAudience('serverchannel').setExpirationTime('1h')
  const signed = (token: SignJWT, secret = key): Promise<string> =>
    token.setProtectedHeader({ alg: 'HS256' }).sign(secret)
  const start = (): Promise<{ port: number }> =>
    serve({ authenticate: userTokens({ secret: SECRET, audience: 'serverchannel' }) })

  it('let in who has one, in the header or in the query', async () => {
    const { port } = await start()
    const token = await signed(claims())
    expect(await ask(port, { Authorization: `Bearer ${token}` })).toBe('allowed')
    expect(await upgrade(port, {}, `/msg?access_token=${token}`)).toBe(101)
  })

  it('are refused where anything about them is wrong', async () => {
    const { port } = await start()
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await signed(claims())).split('.')[1]}.`
    const wrong: Record<string, string> = {
      'no token': '',
      'not one': 'abc',
      'another key': await signed(claims(), createSecretKey(Buffer.from('another-secret-of-thirty-two-characters'))),
      expired: await signed(new SignJWT({}).setSubject('anna').setAudience('serverchannel').setExpirationTime(1)),
      'another audience': await signed(new SignJWT({}).setSubject('anna').setAudience('shop').setExpirationTime('1h')),
      'no user': await signed(new SignJWT({}).setAudience('serverchannel').setExpirationTime('1h')),
      'no end': await signed(new SignJWT({}).setSubject('anna').setAudience('serverchannel')),
      'groups that are none': await signed(
        new SignJWT({ groups: 'sales' }).setSubject('a').setAudience('serverchannel').setExpirationTime('1h'),
      ),
      unsigned,
      'another algorithm': await claims().setProtectedHeader({ alg: 'HS512' }).sign(key),
      huge: 'x'.repeat(10_000),
    }
    for (const [name, token] of Object.entries(wrong)) {
      expect([name, await negotiate(port, { Authorization: `Bearer ${token}` })]).toEqual([name, 401])
    }
  })
})
