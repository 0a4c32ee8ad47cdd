import { type Check, expectEqual, expectThat, required } from './check.ts'
import { type Answer, ask, typeOf, withQuery } from './http.ts'
import { Link } from './link.ts'
import { negotiate } from './negotiation.ts'
import type { Scene } from './scene.ts'

const HANDSHAKE = '{"protocol":"json","version":1}\x1e'

const echo = (id: number): string => `{"type":1,"invocationId":"${id}","target":"Echo","arguments":["${id}"]}\x1e`
const echoed = (id: number): string => `{"type":3,"invocationId":"${id}","result":"${id}"}\x1e`

/** A connection that polls only when it is told to. */
class Poller {
  readonly path: string
  readonly #scene: Scene

  private constructor(scene: Scene, path: string) {
    this.#scene = scene
    this.path = path
  }

  static async open(scene: Scene): Promise<Poller> {
    const { token } = await negotiate(scene)
    const poller = new Poller(scene, withQuery('/testhub', { id: token }))
    expectEqual((await poller.poll()).status, 200, 'status of the first poll')
    await poller.post(HANDSHAKE)
    expectEqual((await poller.poll()).text, '{}\x1e', 'answer to the handshake')
    return poller
  }

  poll(signal?: AbortSignal): Promise<Answer> {
    return ask(this.#scene, withQuery(this.path, { _: Date.now() }), signal ? { signal } : {})
  }

  async post(body: string): Promise<void> {
    expectEqual((await ask(this.#scene, this.path, { method: 'POST', body })).status, 200, 'status of the POST')
  }

  delete(): Promise<Answer> {
    return ask(this.#scene, this.path, { method: 'DELETE' })
  }
}

function expectPollHeaders({ headers }: Answer): void {
  expectEqual(headers.get('cache-control')?.replaceAll(' ', ''), 'no-cache,no-store', 'Cache-Control')
  expectEqual(headers.get('pragma'), 'no-cache', 'Pragma')
  expectEqual(headers.get('expires'), 'Thu, 01 Jan 1970 00:00:00 GMT', 'Expires')
}

function expectData(answer: Answer, text: string): void {
  expectEqual(answer.status, 200, 'status')
  expectEqual(typeOf(answer), 'application/octet-stream', 'Content-Type')
  expectEqual(answer.headers.get('content-length'), String(answer.body.length), 'Content-Length')
  expectEqual(answer.text, text, 'body')
}

/** Waits until a poll that was sent is open at the server: nothing tells that from outside. */
const untilPending = (scene: Scene): Promise<void> => scene.pass(250)

export const longPollingChecks: readonly Check[] = [
  required('L1.1', 'answers the first poll at once: 200, application/octet-stream, empty', async (scene) => {
    const { token } = await negotiate(scene)
    const answer = await ask(scene, withQuery('/testhub', { id: token, _: 1 }))
    expectData(answer, '')
    expectPollHeaders(answer)
  }),
  required('L1.2', 'lets a poll wait until there is something', async (scene) => {
    const poller = await Poller.open(scene)
    const polled = poller.poll()
    await untilPending(scene)
    await poller.post(echo(1))
    const answer = await polled
    expectData(answer, echoed(1))
    expectPollHeaders(answer)
  }),
  required('L2.1', 'gives all that waits in one answer', async (scene) => {
    const poller = await Poller.open(scene)
    await poller.post(echo(1) + echo(2) + echo(3))
    let text = ''
    const until = echoed(1) + echoed(2) + echoed(3)
    // The first may be answered before the last is done, so it may take more than one.
    while (text.length < until.length) {
      const answer = await poller.poll()
      expectEqual(answer.status, 200, 'status')
      expectThat(answer.text !== '', 'a poll with something in it', answer.text)
      text += answer.text
    }
    expectEqual(text, until)
  }),
  required('L2.2', 'keeps what is to be sent while no poll is open', async (scene) => {
    const poller = await Poller.open(scene)
    await poller.post(echo(1))
    await poller.post(echo(2))
    await scene.pass(300)
    expectData(await poller.poll(), echoed(1) + echoed(2))
  }),
  required('L2.3', 'keeps it where the poll was given up by the client', async (scene) => {
    const poller = await Poller.open(scene)
    const giveUp = new AbortController()
    const given = poller.poll(giveUp.signal).catch(() => 'given up')
    await untilPending(scene)
    giveUp.abort()
    expectEqual(await given, 'given up')
    await scene.pass(100)
    await poller.post(echo(1))
    await scene.pass(100)
    expectData(await poller.poll(), echoed(1))
  }),
  required('L2.4', 'ends a poll with 204 when a newer one comes', async (scene) => {
    const poller = await Poller.open(scene)
    const older = poller.poll()
    await untilPending(scene)
    const newer = poller.poll()
    const superseded = await older
    expectEqual([superseded.status, superseded.text], [204, ''], 'status and body of the older poll')
    await poller.post(echo(1))
    expectData(await newer, echoed(1))
  }),
  required(
    'L2.5',
    'answers a poll for which nothing came with 200, text/plain, empty',
    async (scene) => {
      const poller = await Poller.open(scene)
      const startedAt = performance.now()
      const answer = await poller.poll()
      expectEqual([answer.status, typeOf(answer), answer.text], [200, 'text/plain', ''], 'status, type and body')
      expectPollHeaders(answer)
      const ms = performance.now() - startedAt
      expectThat(ms >= scene.settings.pollTimeoutMs * 0.9, `not before ${scene.settings.pollTimeoutMs} ms`, ms)
      await poller.post(echo(1))
      expectData(await poller.poll(), echoed(1))
    },
    { takesMs: ({ pollTimeoutMs }) => pollTimeoutMs },
  ),
  required('L3.1', 'answers DELETE with 202, ends the poll with 204, and forgets the connection', async (scene) => {
    const poller = await Poller.open(scene)
    const polled = poller.poll()
    await untilPending(scene)
    expectEqual((await poller.delete()).status, 202, 'status of the DELETE')
    expectEqual((await polled).status, 204, 'status of the poll')
    expectEqual((await poller.poll()).status, 404, 'status of the next poll')
    expectEqual((await ask(scene, poller.path, { method: 'POST', body: echo(1) })).status, 404, 'status of a POST')
  }),
  required('L3.2', 'gives the Close message in a 200, and answers the next poll with 204', async (scene) => {
    const poller = await Poller.open(scene)
    const polled = poller.poll()
    await untilPending(scene)
    await poller.post('{"type":1,"target":"Abort","arguments":[]}\x1e')
    expectData(await polled, '{"type":7}\x1e')
    expectEqual((await poller.poll()).status, 204, 'status of the next poll')
  }),
  required(
    'L4.1',
    'does not ping',
    async (scene) => {
      const link = await Link.open(scene, { transport: 'LongPolling' })
      await scene.pass(scene.settings.keepAliveMs * 2 + 1500)
      await link.expectSilence()
      expectEqual(link.pings, 0, 'pings')
    },
    { takesMs: ({ keepAliveMs }) => keepAliveMs * 2 + 1500 },
  ),
  required(
    'L4.2',
    'forgets a connection that does not poll for the disconnect timeout',
    async (scene) => {
      const poller = await Poller.open(scene)
      await scene.pass(scene.settings.disconnectMs + 3000)
      expectEqual((await poller.poll()).status, 404, 'status')
    },
    { takesMs: ({ disconnectMs }) => disconnectMs + 3000 },
  ),
]
