import { describe, expect, it } from 'vitest'
import type { Authenticate, MapOptions } from '../src/index.ts'
import { defineHub } from '../src/index.ts'
import { openClient, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

/** `Bearer USER SECONDS`: the user, for so many seconds; without seconds for ever. */
const authenticate: Authenticate = ({ headers, url }) => {
  const given = headers.authorization ?? new URLSearchParams(url?.split('?')[1] ?? '').get('access_token') ?? ''
  const [user, seconds] = given.replace('Bearer ', '').split(' ')
  if (!user) return null
  return { user, ...(seconds ? { expiresAt: Date.now() + Number(seconds) * 1000 } : {}) }
}

async function serve(options: MapOptions = {}) {
  const { channel, port, url } = await serveChannel({ authenticate })
  channel.mapHub('/hub', defineHub<{ server: object; client: object }>({ methods: {} }), options)
  const post = async (path: string, token = '', method = 'POST') => {
    const response = await fetch(`${url}${path}`, { method, headers: { Authorization: `Bearer ${token}` } })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const negotiate = async (token: string, version = 1) => {
    const { body } = await post(`/hub/negotiate?negotiateVersion=${version}`, token)
    return { body, token: String(body['connectionToken'] ?? body['connectionId']) }
  }
  return { port, post, negotiate }
}

describe('negotiation', () => {
  it('says how long the credentials are good, last, and only where they end', async () => {
    const { negotiate } = await serve()
    const { body } = await negotiate('ada 100')
    expect(Object.keys(body).at(-1)).toBe('tokenLifetimeSeconds')
    expect(body['tokenLifetimeSeconds']).toBeGreaterThan(97)
    expect(body['tokenLifetimeSeconds']).toBeLessThanOrEqual(100)
    expect(Object.keys((await negotiate('ada')).body)).not.toContain('tokenLifetimeSeconds')
  })

  it('says nothing of it where refresh is switched off', async () => {
    const { negotiate } = await serve({ authenticationRefresh: false })
    expect(Object.keys((await negotiate('ada 100')).body)).not.toContain('tokenLifetimeSeconds')
  })
})

describe('refresh', () => {
  it('keeps a connection open past the end of its first credentials, until that of the newer ones', async () => {
    const { negotiate, port, post } = await serve()
    const { token } = await negotiate('ada 2')
    const start = performance.now()
    const client = await openClient(port, `/hub?id=${token}&access_token=${encodeURIComponent('ada 2')}`)
    const { status, body } = await post(`/hub/refresh?id=${token}`, 'ada 4')
    expect([status, Object.keys(body)]).toEqual([200, ['tokenLifetimeSeconds']])
    await client.closed
    // Expiry holds within a second.
    expect(performance.now() - start).toBeGreaterThan(3500)
    expect(client.records.at(-1)).toContain('authentication_expired')
  })

  it('may make it good for ever', async () => {
    const { negotiate, port, post } = await serve()
    const { token } = await negotiate('ada 1')
    const client = await openClient(port, `/hub?id=${token}&access_token=${encodeURIComponent('ada 1')}`)
    expect(await post(`/hub/refresh?id=${token}`, 'ada')).toEqual({ status: 200, body: {} })
    await new Promise((resolve) => setTimeout(resolve, 2100))
    expect(client.socket.readyState).toBe(client.socket.OPEN)
  })

  it('is refused with a reason, and harms nothing', async () => {
    const { negotiate, port, post } = await serve()
    const { token } = await negotiate('ada')
    const client = await openClient(port, `/hub?id=${token}&access_token=ada`)
    const refused = async (path: string, given?: string, method?: string) => {
      const { status, body } = await post(path, given, method)
      return [status, body['error']]
    }
    expect(await refused(`/hub/refresh?id=${token}`, 'ada', 'PUT')).toEqual([405, 'method_not_allowed'])
    expect(await refused('/hub/refresh', 'ada')).toEqual([400, 'missing_connection_token'])
    expect(await refused('/hub/refresh?id=x', 'ada')).toEqual([404, 'connection_not_found'])
    expect(await refused(`/hub/refresh?id=${token}`, '')).toEqual([401, 'invalid_token'])
    expect(await refused(`/hub/refresh?id=${token}`, 'eve')).toEqual([401, 'invalid_token'])
    const old = await negotiate('ada', 0)
    expect(await refused(`/hub/refresh?id=${old.token}`, 'ada')).toEqual([400, 'unsupported_negotiate_version'])
    client.socket.send('{"type":6}\x1e{"type":1,"invocationId":"1","target":"X","arguments":[]}\x1e')
    await until(() => client.records.length === 2, 'it is served on')
  })

  it('is not there where it is switched off', async () => {
    const { negotiate, post } = await serve({ authenticationRefresh: false })
    const { token } = await negotiate('ada')
    expect(await post(`/hub/refresh?id=${token}`, 'ada')).toEqual({ status: 404, body: { error: 'refresh_disabled' } })
  })
})
