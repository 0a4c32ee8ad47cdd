import { type Check, expectEqual, expectMatch, expectThat, recommended, required } from './check.ts'
import { type Answer, ask, expectAnswer, typeOf, withQuery } from './http.ts'
import { Link } from './link.ts'
import { negotiate, parseObject } from './negotiation.ts'
import type { Scene } from './scene.ts'
import { Socket } from './socket.ts'

const ID = '[\\w-]{16,}'
const TRANSPORTS =
  '[{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]'

const post = (scene: Scene, query: string, hub = '/testhub'): Promise<Answer> =>
  ask(scene, `${hub}/negotiate${query}`, { method: 'POST' })

async function expectError(scene: Scene, query: string, error: RegExp): Promise<void> {
  const answer = await post(scene, query)
  expectEqual(answer.status, 200, `status of ${query}`)
  const body = parseObject(answer)
  expectEqual(Object.keys(body), ['error'], `keys of the answer to ${query}`)
  expectMatch(String(body['error']), error, query)
}

async function expectVersion(scene: Scene, query: string, version: number): Promise<void> {
  expectEqual(parseObject(await post(scene, query))['negotiateVersion'], version, `version for '${query}'`)
}

export const negotiateChecks: readonly Check[] = [
  required('N1.1', 'answers POST {hub}/negotiate with 200, application/json and a Content-Length', async (scene) => {
    const answer = await post(scene, '?negotiateVersion=1')
    expectEqual(answer.status, 200, 'status')
    expectEqual(typeOf(answer), 'application/json', 'Content-Type')
    expectEqual(answer.headers.get('content-length'), String(answer.body.length), 'Content-Length')
    parseObject(answer)
  }),
  required('N1.2', 'answers GET, PUT and DELETE of negotiate with 405, text/plain and no text', async (scene) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await ask(scene, '/testhub/negotiate?negotiateVersion=1', { method })
      expectAnswer(answer, 405, 'text/plain', '')
    }
  }),
  required('N1.3', 'ignores the body of negotiate, a chunked one too', async (scene) => {
    for (const isChunked of [false, true]) {
      const ofBody = { method: 'POST', body: '{"not":"read"', isChunked }
      const answer = await ask(scene, '/testhub/negotiate?negotiateVersion=1', ofBody)
      expectEqual(answer.status, 200, 'status')
      expectEqual(parseObject(answer)['negotiateVersion'], 1, 'negotiateVersion')
    }
  }),
  recommended('N1.4', 'matches the path of negotiate in any case', async (scene) => {
    const answer = await ask(scene, '/TESTHUB/Negotiate?negotiateVersion=1', { method: 'POST' })
    expectEqual(answer.status, 200, 'status')
    expectEqual(parseObject(answer)['negotiateVersion'], 1, 'negotiateVersion')
  }),
  recommended('N1.5', 'matches the names in the query in any case', async (scene) => {
    const answer = await post(scene, '?NegotiateVersion=1&UseStatefulReconnect=true')
    const { negotiateVersion, useStatefulReconnect } = parseObject(answer)
    expectEqual({ negotiateVersion, useStatefulReconnect }, { negotiateVersion: 1, useStatefulReconnect: true })
  }),
  required('N2.1', 'takes version 0 where none is asked for', (scene) => expectVersion(scene, '', 0)),
  required('N2.2', 'answers with version 0 or 1 as asked', async (scene) => {
    await expectVersion(scene, '?negotiateVersion=0', 0)
    await expectVersion(scene, '?negotiateVersion=1', 1)
  }),
  required('N2.3', 'answers with version 1 where a newer one is asked for', async (scene) => {
    await expectVersion(scene, '?negotiateVersion=2', 1)
    await expectVersion(scene, '?negotiateVersion=100', 1)
  }),
  required('N2.4', 'answers a version below its oldest with 200 and an error that says so', (scene) =>
    expectError(
      scene,
      '?negotiateVersion=-1',
      /^The client requested version '-1', but the server does not support this version\.$/,
    ),
  ),
  required(
    'N2.5',
    'answers a version that is no integer, or empty, with 200 and an error that says so',
    async (scene) => {
      for (const query of ['?negotiateVersion=abc', '?negotiateVersion=1.5', '?negotiateVersion=']) {
        await expectError(
          scene,
          query,
          /^The client requested (?:a non-integer protocol version\.|an invalid protocol version '.*')$/,
        )
      }
    },
  ),
  required('N3.1', 'gives version, id, token and transports in this order, and nothing else', async (scene) => {
    const { text } = await post(scene, '?negotiateVersion=1')
    const start = new RegExp(
      `^{"negotiateVersion":1,"connectionId":"${ID}","connectionToken":"[^"]{16,}","availableTransports":`,
    )
    expectMatch(text, start)
    expectEqual(text.replace(start, ''), `${TRANSPORTS}}`, 'availableTransports')
  }),
  required('N3.2', 'gives no token in version 0: the id is the token', async (scene) => {
    const { text } = await post(scene, '?negotiateVersion=0')
    expectMatch(text, new RegExp(`^{"negotiateVersion":0,"connectionId":"${ID}","availableTransports":`))
    const { token, connectionId } = await negotiate(scene, '/testhub', { version: 0 })
    expectEqual(token, connectionId)
    const link = new Link(scene, await Socket.open(scene, withQuery('/testhub', { id: token })), {
      token,
      connectionId,
    })
    await link.wire.send('{"protocol":"json","version":1}\x1e')
    expectEqual(await link.readHandshake(), '{}')
  }),
  required('N3.3', 'gives another id and another token each time, neither told by the other', async (scene) => {
    const given = await Promise.all(Array.from({ length: 8 }, () => negotiate(scene)))
    const names = given.flatMap(({ connectionId, token }) => [connectionId, token])
    expectEqual(new Set(names).size, names.length, 'number of different ids and tokens')
    for (const { connectionId, token } of given) {
      expectThat(!token.includes(connectionId), 'a token without the id in it', token)
    }
  }),
  required('N3.4', 'lists only the transports that the hub is served on', async (scene) => {
    const { body } = await negotiate(scene, '/testhub-nowebsockets')
    const transports = body['availableTransports']
    expectThat(Array.isArray(transports), 'a list of transports', transports)
    const names = transports.map((item: { transport?: unknown }) => item.transport)
    expectEqual(names, ['ServerSentEvents', 'LongPolling'])
  }),
  required('N4.1', 'grants stateful reconnect where it is asked for, first in the body', async (scene) => {
    for (const value of ['true', 'True', 'TRUE']) {
      const { text } = await post(scene, `?negotiateVersion=1&useStatefulReconnect=${value}`)
      expectMatch(text, /^{"useStatefulReconnect":true,"negotiateVersion":1,/, value)
    }
  }),
  required('N4.2', 'says nothing of stateful reconnect where it is not asked for', async (scene) => {
    for (const query of ['', '&useStatefulReconnect=false', '&useStatefulReconnect=1', '&useStatefulReconnect=']) {
      const body = parseObject(await post(scene, `?negotiateVersion=1${query}`))
      expectEqual(Object.hasOwn(body, 'useStatefulReconnect'), false, `useStatefulReconnect for '${query}'`)
      expectEqual(body['negotiateVersion'], 1, 'negotiateVersion')
    }
  }),
  required('N4.3', 'says nothing of it on a hub that does not offer it', async (scene) => {
    const { body } = await negotiate(scene, '/msg-plain', { isStateful: true })
    expectEqual(Object.hasOwn(body, 'useStatefulReconnect'), false, 'useStatefulReconnect')
  }),
  required(
    'N6.1',
    'keeps a negotiated connection, and forgets it after the disconnect timeout if nobody opens it',
    async (scene) => {
      const [kept, forgotten] = await Promise.all([negotiate(scene), negotiate(scene)])
      await scene.pass(scene.settings.disconnectMs * 0.8)
      const path = (id: string): string => withQuery('/testhub', { id })
      expectEqual((await ask(scene, path(kept.token))).status, 200, 'status of a first poll before the timeout')
      await scene.pass(scene.settings.disconnectMs * 0.2 + 3000)
      expectEqual((await ask(scene, path(forgotten.token))).status, 404, 'status of a first poll after the timeout')
    },
    { takesMs: ({ disconnectMs }) => disconnectMs + 3000 },
  ),
  required('N7.1', 'never gives a ProtocolVersion, which is how clients know classic SignalR', async (scene) => {
    for (const query of ['', '?negotiateVersion=1', '?negotiateVersion=1&useStatefulReconnect=true']) {
      const names = Object.keys(parseObject(await post(scene, query)))
      expectThat(names.includes('connectionId'), 'a connectionId', names)
      expectThat(!names.some((name) => name.toLowerCase() === 'protocolversion'), 'no ProtocolVersion', names)
    }
  }),
]
