import { describe, expect, it } from 'vitest'
import type { Authenticate } from '../src/options.ts'
import { openClient, serveChannel } from './served-channel.ts'
import { ask } from './transport-http.ts'
import { until } from './until.ts'

async function statusWith(authenticate: unknown): Promise<number> {
  const { hubUrl } = await serveChannel({ authenticate: authenticate as Authenticate, authenticationTimeoutMs: 100 })
  return (await ask(`${hubUrl}/negotiate?negotiateVersion=1`, { method: 'POST' })).status
}

describe('what authenticate() may say', () => {
  it.each<[string, unknown]>([
    ['nobody in particular', {}],
    ['a user', { user: 'u' }],
    ['a user with groups', { user: 'u', groups: ['g', '__proto__'] }],
    ['an end', { user: 'u', expiresAt: Date.now() + 60_000 }],
    ['a promise of it', Promise.resolve({ user: 'u' })],
  ])('%s', async (_, identity) => {
    expect(await statusWith(() => identity)).toBe(200)
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['false', false],
    ['true', true],
    ['a name', 'anna'],
    ['a user that is no string', { user: 7 }],
    ['a user that is null', { user: null }],
    ['a user of nothing', { user: '' }],
    ['groups that are no list', { user: 'u', groups: { sales: true } }],
    ['groups that are a name', { user: 'u', groups: 'sales' }],
    ['a group that is no string', { user: 'u', groups: ['sales', 7] }],
    ['a group of nothing', { user: 'u', groups: [''] }],
    ['a group that is too long', { user: 'u', groups: ['x'.repeat(257)] }],
    ['an end that is no number', { user: 'u', expiresAt: '2030-01-01' }],
    ['an end that is NaN', { user: 'u', expiresAt: Number.NaN }],
  ])('is not %s: the request is refused, and nothing breaks later', async (_, identity) => {
    expect(await statusWith(() => identity)).toBe(401)
  })

  it('ends with its connection, within a second of its end', async () => {
    const expiresAt = Date.now() + 400
    const { port } = await serveChannel({ authenticate: () => ({ user: 'u', expiresAt }) })
    const { records, closed } = await openClient(port)
    expect(await closed).toBe(1000)
    expect(Date.now() - expiresAt).toBeLessThan(1200)
    expect(JSON.parse(records.at(-1) ?? '')).toMatchObject({
      error: expect.stringContaining('authentication_expired'),
      allowReconnect: true,
    })
  })

  it('puts the connection into its groups', async () => {
    const { channel, port } = await serveChannel({ authenticate: () => ({ user: 'u', groups: ['sales'] }) })
    const { bodies } = await openClient(port)
    await channel.post({ sender: 'S', to: { groups: 'sales' }, body: 1 })
    await channel.post({ sender: 'S', to: { groups: 'others' }, body: 2 })
    await channel.post({ sender: 'S', to: { users: 'u' }, body: 3 })
    await until(() => bodies().length === 2, 'both messages are there')
    expect(bodies()).toEqual([1, 3])
  })
})
