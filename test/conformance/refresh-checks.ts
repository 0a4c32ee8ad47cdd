import { type Check, expectEqual, expectThat, improvement } from './check.ts'
import { type Answer, ask, bearer, typeOf, withQuery } from './http.ts'
import { Link } from './link.ts'
import { fetchUserToken, negotiate, parseObject } from './negotiation.ts'
import type { Scene } from './scene.ts'

const HUB = '/authorizedhub'

function refresh(scene: Scene, id: string | undefined, userToken?: string, hub = HUB): Promise<Answer> {
  return ask(scene, withQuery(`${hub}/refresh`, { id }), { method: 'POST', headers: bearer(userToken) })
}

function expectRefused(answer: Answer, status: number, error?: string): void {
  expectEqual([answer.status, typeOf(answer)], [status, 'application/json'], 'status and Content-Type')
  const given = parseObject(answer)['error']
  if (error === undefined) expectThat(typeof given === 'string' && given !== '', 'an error', given)
  else expectEqual(given, error, 'error')
}

function expectLifetime(value: unknown): void {
  const isWhole = typeof value === 'number' && Number.isInteger(value)
  expectThat(isWhole && value >= 1 && value <= 15, 'tokenLifetimeSeconds of 1 to 15', value)
}

/** The refresh of authentication that .NET 11 brings. */
export const refreshChecks: readonly Check[] = [
  improvement('2.12.1', 'says in negotiate how long the token is valid', async (scene) => {
    const token = await fetchUserToken(scene)
    const { body } = await negotiate(scene, HUB, { token })
    expectLifetime(body['tokenLifetimeSeconds'])
  }),
  improvement('2.12.2', 'says nothing of a lifetime where there is no token', async (scene) => {
    const { body } = await negotiate(scene, '/testhub')
    expectEqual(Object.hasOwn(body, 'tokenLifetimeSeconds'), false, 'tokenLifetimeSeconds')
    const token = await fetchUserToken(scene)
    const authorized = await negotiate(scene, HUB, { token })
    expectEqual(Object.hasOwn(authorized.body, 'tokenLifetimeSeconds'), true, 'tokenLifetimeSeconds with a token')
  }),
  improvement(
    '2.12.3',
    'takes new credentials by POST {hub}/refresh, and says how long they are valid',
    async (scene) => {
      const link = await Link.open(scene, { hub: HUB, token: await fetchUserToken(scene) })
      const answer = await refresh(scene, link.token, await fetchUserToken(scene))
      expectEqual([answer.status, typeOf(answer)], [200, 'application/json'], 'status and Content-Type')
      expectLifetime(parseObject(answer)['tokenLifetimeSeconds'])
      await link.expectResult('testuser', 'Who')
    },
  ),
  improvement(
    '2.12.4',
    'keeps a connection beyond the end of its first token, once it was refreshed',
    async (scene) => {
      const link = await Link.open(scene, { hub: HUB, token: await fetchUserToken(scene), pings: false })
      // Three times 4 s is beyond the 5 s that the first token is valid, and beyond a tolerance of 5 s.
      for (let i = 0; i < 3; i++) {
        await scene.pass(4000)
        expectEqual((await refresh(scene, link.token, await fetchUserToken(scene))).status, 200, 'status')
      }
      await link.expectResult('testuser', 'Who')
    },
    { takesMs: () => 12_500 },
  ),
  improvement('2.12.5', 'refuses other methods with 405 and a JSON error', async (scene) => {
    const token = await fetchUserToken(scene)
    const link = await Link.open(scene, { hub: HUB, token })
    for (const method of ['GET', 'DELETE']) {
      const path = withQuery(`${HUB}/refresh`, { id: link.token })
      expectRefused(await ask(scene, path, { method, headers: bearer(token) }), 405)
    }
  }),
  improvement('2.12.6', 'answers 404 refresh_disabled on a hub that does not refresh', async (scene) => {
    const hub = '/msg-plain'
    const link = await Link.open(scene, { hub })
    expectRefused(await refresh(scene, link.token, undefined, hub), 404, 'refresh_disabled')
  }),
  improvement('2.12.7', 'answers 404 connection_not_found to an unknown id', async (scene) => {
    expectRefused(await refresh(scene, 'A'.repeat(22), await fetchUserToken(scene)), 404, 'connection_not_found')
  }),
  improvement('2.12.8', 'answers 400 missing_connection_token where the id is missing', async (scene) => {
    expectRefused(await refresh(scene, undefined, await fetchUserToken(scene)), 400, 'missing_connection_token')
  }),
  improvement('2.12.9', 'answers 400 unsupported_negotiate_version to a connection of version 0', async (scene) => {
    const userToken = await fetchUserToken(scene)
    const { token } = await negotiate(scene, HUB, { version: 0, token: userToken })
    expectRefused(await refresh(scene, token, userToken), 400, 'unsupported_negotiate_version')
  }),
  improvement('2.12.10', 'answers 401 invalid_token to credentials that are not valid', async (scene) => {
    const link = await Link.open(scene, { hub: HUB, token: await fetchUserToken(scene) })
    expectRefused(await refresh(scene, link.token, 'nonsense'), 401, 'invalid_token')
    await link.expectResult('testuser', 'Who')
  }),
]
