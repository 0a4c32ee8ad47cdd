import { type Check, expectEqual, expectMatch, expectThat, improvement, required } from './check.ts'
import { EventStream } from './event-stream.ts'
import { type Answer, ask, bearer, expectAnswer, typeOf, withQuery } from './http.ts'
import { Link } from './link.ts'
import { fetchUserToken, negotiate } from './negotiation.ts'
import type { Scene } from './scene.ts'
import { askUpgrade, Socket } from './socket.ts'

const CHANGED = 'Cannot change transports mid-connection'
const UNKNOWN = 'No Connection with that ID'
const EVENTS = { headers: { Accept: 'text/event-stream' } }

const pathOf = (id: string, hub = '/testhub'): string => withQuery(hub, { id })

/** One of each kind of request to a connection. */
const kinds = [{}, EVENTS, { method: 'POST', body: 'x' }, { method: 'DELETE' }]

async function openPolling(scene: Scene): Promise<string> {
  const { token } = await negotiate(scene)
  expectEqual((await ask(scene, pathOf(token))).status, 200, 'status of the first poll')
  return token
}

async function expectUnauthorized(answer: Answer): Promise<void> {
  expectEqual(answer.status, 401, 'status')
  expectEqual(answer.reason, 'Unauthorized', 'reason phrase')
}

export const httpChecks: readonly Check[] = [
  required('H1.1', 'answers 400 "Connection ID required" where the id is missing or empty', async (scene) => {
    for (const path of ['/testhub', '/testhub?id=']) {
      for (const kind of kinds) expectAnswer(await ask(scene, path, kind), 400, 'text/plain', 'Connection ID required')
    }
  }),
  required(
    'H1.2',
    'answers 404 "No Connection with that ID" to every kind of request with an unknown id',
    async (scene) => {
      const path = pathOf('AAAAAAAAAAAAAAAAAAAAAA')
      for (const kind of kinds) expectAnswer(await ask(scene, path, kind), 404, 'text/plain', UNKNOWN)
    },
  ),
  required('H1.3', 'answers the upgrade with an unknown id with 404', async (scene) => {
    expectEqual((await askUpgrade(scene, pathOf('AAAAAAAAAAAAAAAAAAAAAA'))).status, 404, 'status')
  }),
  required('H1.4', 'does not take the connection id for the token', async (scene) => {
    const { connectionId, token } = await negotiate(scene)
    expectEqual((await ask(scene, pathOf(connectionId))).status, 404, 'status with the connection id')
    expectEqual((await askUpgrade(scene, pathOf(connectionId))).status, 404, 'status of the upgrade')
    expectEqual((await ask(scene, pathOf(token))).status, 200, 'status with the token')
  }),
  required('H2.1', 'answers other methods with 405', async (scene) => {
    const { token } = await negotiate(scene)
    for (const method of ['PUT', 'HEAD']) {
      expectEqual((await ask(scene, pathOf(token), { method })).status, 405, `status of ${method}`)
    }
  }),
  required('H2.2', 'answers the upgrade with 404 and the reason where the hub has no WebSockets', async (scene) => {
    const hub = '/testhub-nowebsockets'
    const { token } = await negotiate(scene, hub)
    const answer = await askUpgrade(scene, pathOf(token, hub))
    expectEqual(answer.status, 404, 'status')
    expectEqual(answer.text, 'WebSockets transport not supported by this end point type', 'body')
  }),
  required('H3.1', 'lets no other transport join a connection that polls: 400 and the reason', async (scene) => {
    const token = await openPolling(scene)
    expectAnswer(await ask(scene, pathOf(token), EVENTS), 400, 'text/plain', CHANGED)
    const upgrade = await askUpgrade(scene, pathOf(token))
    expectEqual([upgrade.status, upgrade.text], [400, CHANGED], 'status and body of the upgrade')
  }),
  required('H3.2', 'lets no other transport join a connection of server-sent events', async (scene) => {
    const { token } = await negotiate(scene)
    await EventStream.open(scene, '/testhub', token)
    expectAnswer(await ask(scene, pathOf(token)), 400, 'text/plain', CHANGED)
    expectEqual((await askUpgrade(scene, pathOf(token))).status, 400, 'status of the upgrade')
  }),
  required('H3.3', 'lets no other transport join a connection of a WebSocket', async (scene) => {
    const { token } = await negotiate(scene)
    await Socket.open(scene, pathOf(token))
    expectAnswer(await ask(scene, pathOf(token)), 400, 'text/plain', CHANGED)
    expectAnswer(await ask(scene, pathOf(token), EVENTS), 400, 'text/plain', CHANGED)
  }),
  required('H3.4', 'answers a second event stream of a connection with 409 and no text', async (scene) => {
    const { token } = await negotiate(scene)
    await EventStream.open(scene, '/testhub', token)
    expectAnswer(await ask(scene, pathOf(token), EVENTS), 409, 'text/plain', '')
  }),
  required('H3.5', 'answers a second WebSocket of a connection with 409', async (scene) => {
    const { token } = await negotiate(scene)
    await Socket.open(scene, pathOf(token))
    expectEqual((await askUpgrade(scene, pathOf(token))).status, 409, 'status')
  }),
  improvement('H4.1', 'does not take the token of another hub', async (scene) => {
    const { token } = await negotiate(scene, '/testhub')
    expectEqual((await ask(scene, pathOf(token, '/msg-plain'))).status, 404, 'status at the other hub')
    expectEqual((await askUpgrade(scene, pathOf(token, '/msg-plain'))).status, 404, 'status of the upgrade')
    expectEqual((await ask(scene, pathOf(token))).status, 200, 'status at its own hub')
  }),
  required('H5.1', 'answers negotiate without a token with 401 Unauthorized', async (scene) => {
    await expectUnauthorized(await ask(scene, '/authorizedhub/negotiate?negotiateVersion=1', { method: 'POST' }))
  }),
  required('H5.2', 'answers a wrong token with 401, in the header and in the query', async (scene) => {
    const path = '/authorizedhub/negotiate?negotiateVersion=1'
    await expectUnauthorized(await ask(scene, path, { method: 'POST', headers: bearer('nonsense') }))
    await expectUnauthorized(await ask(scene, `${path}&access_token=nonsense`, { method: 'POST' }))
  }),
  required('H5.3', 'takes the token from the header on every transport', async (scene) => {
    const token = await fetchUserToken(scene)
    for (const transport of ['WebSockets', 'LongPolling'] as const) {
      const link = await Link.open(scene, { hub: '/authorizedhub', transport, token })
      await link.expectResult('testuser', 'Who')
    }
  }),
  required('H5.4', 'takes the token from the query, as browsers send it for WebSockets and events', async (scene) => {
    const hub = '/authorizedhub'
    const userToken = await fetchUserToken(scene)
    const negotiated = await negotiate(scene, hub, { token: userToken })
    const path = withQuery(hub, { id: negotiated.token, access_token: userToken })
    const link = new Link(scene, await Socket.open(scene, path), negotiated)
    await link.wire.send('{"protocol":"json","version":1}\x1e')
    expectEqual(await link.readHandshake(), '{}')
    await link.expectResult('testuser', 'Who')
    const events = await Link.open(scene, { hub, transport: 'ServerSentEvents', token: userToken })
    await events.expectResult('testuser', 'Who')
  }),
  required('H5.5', 'asks for the token on the upgrade, on each poll and on each POST', async (scene) => {
    const hub = '/authorizedhub'
    const userToken = await fetchUserToken(scene)
    const { token } = await negotiate(scene, hub, { token: userToken })
    const path = pathOf(token, hub)
    expectEqual((await askUpgrade(scene, path)).status, 401, 'status of the upgrade without a token')
    expectEqual((await ask(scene, path)).status, 401, 'status of the first poll without a token')
    expectEqual((await ask(scene, path, { headers: bearer(userToken) })).status, 200, 'status of the first poll')
    expectEqual((await ask(scene, path)).status, 401, 'status of a poll without a token')
    expectEqual((await ask(scene, path, { method: 'POST', body: 'x' })).status, 401, 'status of a POST without a token')
  }),
  required('H6.1', 'answers the question beforehand of a browser for its headers, with credentials', async (scene) => {
    const origin = 'http://pages.example'
    const headers = ['x-requested-with', 'x-signalr-user-agent', 'content-type', 'authorization']
    const answer = await ask(scene, '/testhub/negotiate?negotiateVersion=1', {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': headers.join(','),
      },
    })
    expectThat(answer.status === 200 || answer.status === 204, 'status 200 or 204', answer.status)
    expectEqual(answer.headers.get('access-control-allow-origin'), origin, 'allowed origin')
    expectEqual(answer.headers.get('access-control-allow-credentials'), 'true', 'credentials')
    const allowed = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase()
    for (const name of headers) expectThat(allowed.includes(name), `the header ${name} allowed`, allowed)
    expectMatch(answer.headers.get('access-control-allow-methods'), /\bPOST\b/, 'allowed methods')
  }),
  required('H6.2', 'names the origin and allows credentials on the answers themselves', async (scene) => {
    const origin = 'http://pages.example'
    const headers = { Origin: origin }
    const answer = await ask(scene, '/testhub/negotiate?negotiateVersion=1', { method: 'POST', headers })
    expectEqual(answer.status, 200, 'status')
    expectEqual(typeOf(answer), 'application/json', 'Content-Type')
    expectEqual(answer.headers.get('access-control-allow-origin'), origin, 'allowed origin')
    expectEqual(answer.headers.get('access-control-allow-credentials'), 'true', 'credentials')
  }),
]
