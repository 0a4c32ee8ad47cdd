import { type Check, expectEqual, required } from './check.ts'
import { answerTo, ask, expectAnswer, openAsk, withQuery } from './http.ts'
import { Link } from './link.ts'
import { negotiate } from './negotiation.ts'
import { Polling } from './polling.ts'
import type { Scene } from './scene.ts'

const HANDSHAKE = '{"protocol":"json","version":1}\x1e'

const invocation = (id: string, text: string): string =>
  `{"type":1,"invocationId":"${id}","target":"Echo","arguments":["${text}"]}\x1e`

const completion = (invocationId: string, result: string) => ({ type: 3, invocationId, result })

const openPolling = (scene: Scene): Promise<Link> => Link.open(scene, { transport: 'LongPolling' })

export const postChecks: readonly Check[] = [
  required('P1.1', 'answers a POST with 200, text/plain and no text, once it has taken the body', async (scene) => {
    for (const transport of ['ServerSentEvents', 'LongPolling'] as const) {
      const link = await Link.open(scene, { transport })
      const path = withQuery('/testhub', { id: link.token })
      const answer = await ask(scene, path, { method: 'POST', body: invocation('1', 'hi') })
      expectAnswer(answer, 200, 'text/plain', '')
      expectEqual(answer.headers.get('content-length'), '0', 'Content-Length')
      await link.expect(completion('1', 'hi'))
    }
  }),
  required('P1.2', 'puts together a message that comes in pieces, cut within a character', async (scene) => {
    for (const transport of ['ServerSentEvents', 'LongPolling'] as const) {
      const link = await Link.open(scene, { transport })
      const bytes = Buffer.from(invocation('1', 'zwölf'))
      const cut = bytes.indexOf('ö') + 1
      await link.wire.send(bytes.subarray(0, cut))
      await link.wire.send(bytes.subarray(cut))
      await link.expect(completion('1', 'zwölf'))
    }
  }),
  required('P1.3', 'takes several messages, and half of one, in one POST', async (scene) => {
    const link = await openPolling(scene)
    const text = invocation('1', 'a') + invocation('2', 'b') + invocation('3', 'c')
    await link.wire.send(text.slice(0, -8))
    await link.wire.send(text.slice(-8))
    await link.expect(completion('1', 'a'), completion('2', 'b'), completion('3', 'c'))
  }),
  required('P1.4', 'takes a POST whatever its Content-Type', async (scene) => {
    const link = await openPolling(scene)
    for (const type of ['application/octet-stream', 'text/plain;charset=UTF-8', 'application/json']) {
      const options = { method: 'POST', headers: { 'Content-Type': type }, body: invocation('1', type) }
      expectEqual((await ask(scene, withQuery('/testhub', { id: link.token }), options)).status, 200, type)
      await link.expect(completion('1', type))
    }
  }),
  required('P1.5', 'takes a chunked POST', async (scene) => {
    const link = await openPolling(scene)
    const options = { method: 'POST', body: invocation('1', 'hi'), isChunked: true }
    expectEqual((await ask(scene, withQuery('/testhub', { id: link.token }), options)).status, 200, 'status')
    await link.expect(completion('1', 'hi'))
  }),
  required('P2.1', 'answers a POST to a WebSocket connection with 405 and the reason', async (scene) => {
    const { token } = await Link.open(scene)
    const answer = await ask(scene, withQuery('/testhub', { id: token }), { method: 'POST', body: 'x' })
    expectAnswer(answer, 405, 'text/plain', 'POST requests are not allowed for WebSocket connections.')
  }),
  required('P2.2', 'answers a POST to a closed connection with 404', async (scene) => {
    const link = await openPolling(scene)
    const path = withQuery('/testhub', { id: link.token })
    expectEqual((await ask(scene, path, { method: 'DELETE' })).status, 202, 'status of the DELETE')
    expectEqual((await ask(scene, path, { method: 'POST', body: 'x' })).status, 404, 'status of the POST')
  }),
  required('P2.3', 'keeps what is posted before the transport is open', async (scene) => {
    const negotiated = await negotiate(scene)
    const path = withQuery('/testhub', { id: negotiated.token })
    const early = { method: 'POST', body: HANDSHAKE + invocation('1', 'early') }
    expectAnswer(await ask(scene, path, early), 200, 'text/plain', '')
    const link = new Link(scene, await Polling.open(scene, '/testhub', negotiated.token), negotiated)
    expectEqual(await link.readHandshake(), '{}')
    await link.expect(completion('1', 'early'))
  }),
  required('P2.4', 'takes POSTs that overlap one after another, and refuses none', async (scene) => {
    const link = await openPolling(scene)
    const path = withQuery('/testhub', { id: link.token })
    const [start, end] = [invocation('1', 'first').slice(0, 30), invocation('1', 'first').slice(30)]
    const first = openAsk(scene, path, { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } })
    const answered = answerTo(first)
    await new Promise((resolve) => first.write(start, resolve))
    // Long enough for the server to have the first half when the second request comes.
    await scene.pass(200)
    const second = ask(scene, path, { method: 'POST', body: invocation('2', 'second') })
    await scene.pass(200)
    first.end(end)
    expectEqual((await answered).status, 200, 'status of the first')
    expectEqual((await second).status, 200, 'status of the second')
    await link.expect(completion('1', 'first'), completion('2', 'second'))
  }),
]
