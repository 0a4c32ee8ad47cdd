import { type Check, expectEqual, expectThat, improvement, required, Skip } from './check.ts'
import { Link, type TransportName } from './link.ts'
import { overAll } from './over-all.ts'
import type { Scene } from './scene.ts'

const TIMED_OUT = { type: 7, error: 'Connection closed with an error.', allowReconnect: true }

/** Says something at this pace for that long, and expects to be answered each time. */
async function talk(scene: Scene, link: Link, everyMs: number, forMs: number): Promise<void> {
  for (let passed = 0; passed < forMs; passed += everyMs) {
    await link.expectSilence()
    await scene.pass(everyMs)
  }
}

export const closeChecks: readonly Check[] = [
  required(
    'C1.1',
    'pings a client to which it has said nothing for the keep-alive interval, within a second more',
    async (scene) => {
      const { keepAliveMs } = scene.settings
      const link = await Link.open(scene, { pings: false })
      await link.expectSilence()
      const startedAt = performance.now()
      scene.waitingFor = 'a ping'
      const piece = await link.wire.next()
      expectEqual(piece?.data.toString(), '{"type":6}\x1e')
      const ms = Math.round(performance.now() - startedAt)
      // A second for the tick of the server's clock, and one for a busy machine.
      const isInTime = ms >= keepAliveMs - 1000 && ms <= keepAliveMs + 2000
      expectThat(isInTime, `a ping within ${keepAliveMs} to ${keepAliveMs + 1000} ms`, `${ms} ms`)
    },
    { takesMs: ({ keepAliveMs }) => keepAliveMs + 2000 },
  ),
  required(
    'C1.2',
    'does not ping a client to which it talks',
    async (scene) => {
      const { keepAliveMs } = scene.settings
      const link = await Link.open(scene)
      await talk(scene, link, keepAliveMs / 10, keepAliveMs * 1.5)
      expectEqual(link.pings, 0, 'pings')
    },
    { takesMs: ({ keepAliveMs }) => keepAliveMs * 2 },
  ),
  required(
    'C1.3',
    'never times a client out that has never pinged',
    async (scene) => {
      const link = await Link.open(scene, { pings: false })
      await scene.pass(scene.settings.clientTimeoutMs + 2500)
      await link.expectSilence()
    },
    { takesMs: ({ clientTimeoutMs }) => clientTimeoutMs + 2500 },
  ),
  ...(['WebSockets', 'ServerSentEvents'] as const).map((transport) =>
    required(
      `C1.4-${transport === 'WebSockets' ? 'ws' : 'sse'}`,
      'closes a client that has pinged and is silent for the client timeout, with the leave to come back',
      (scene) => expectTimeout(scene, transport),
      { takesMs: ({ clientTimeoutMs }) => clientTimeoutMs + 2500 },
    ),
  ),
  required(
    'C1.5',
    'takes any message for a sign of life',
    async (scene) => {
      const { clientTimeoutMs } = scene.settings
      const link = await Link.open(scene)
      await talk(scene, link, clientTimeoutMs / 4, clientTimeoutMs * 1.5)
      await link.expectSilence()
    },
    { takesMs: ({ clientTimeoutMs }) => clientTimeoutMs * 2 },
  ),
  required(
    'C1.6',
    'does not time a client out while one of its invocations runs',
    async (scene) => {
      const link = await Link.open(scene)
      const ms = scene.settings.clientTimeoutMs + 2500
      await link.expectResult(null, 'Slow', ms)
    },
    { takesMs: ({ clientTimeoutMs }) => clientTimeoutMs + 3500 },
  ),
  required(
    'C1.7',
    'does not time out who polls, whose polls are signs of life enough',
    async (scene) => {
      const link = await Link.open(scene, { transport: 'LongPolling' })
      await scene.pass(scene.settings.clientTimeoutMs + 2500)
      await link.expectSilence()
    },
    { takesMs: ({ clientTimeoutMs }) => clientTimeoutMs + 2500 },
  ),
  required(
    'C1.8',
    'counts the silence of a client from the end of its last invocation',
    async (scene) => {
      const { clientTimeoutMs } = scene.settings
      const link = await Link.open(scene)
      await link.expectResult(null, 'Slow', clientTimeoutMs + 500)
      await scene.pass(clientTimeoutMs * 0.6)
      await link.expectSilence()
    },
    { takesMs: ({ clientTimeoutMs }) => clientTimeoutMs * 1.6 + 1500 },
  ),
  ...overAll(required, 'C2.1', 'says Close, without the leave to come back, where the hub aborts', async (link) => {
    await link.send({ type: 1, target: 'Abort', arguments: [] })
    await link.expect({ type: 7 })
    await link.expectEnd(1000)
  }),
  ...overAll(required, 'C2.2', 'ends the connection after the Close message of the client', async (link) => {
    await link.send({ type: 7 })
    const last = await link.take()
    // .NET answers with a Close of its own, which nobody waits for.
    if (last) expectEqual(last, { type: 7 })
    await link.expectEnd(1000)
  }),
  improvement(
    'C3.1',
    'says Close with the leave to come back on every transport when it shuts down, and then closes with 1000',
    async (scene) => {
      const { pid } = scene.settings
      if (pid === undefined) throw new Skip('the process of the server was not named by --pid')
      const transports: readonly TransportName[] = ['WebSockets', 'ServerSentEvents', 'LongPolling']
      const links = await Promise.all(transports.map((transport) => Link.open(scene, { transport })))
      for (const link of links) await link.expectSilence()
      process.kill(pid, 'SIGTERM')
      await Promise.all(
        links.map(async (link) => {
          const { type, allowReconnect } = await link.next('a Close message')
          expectEqual({ type, allowReconnect }, { type: 7, allowReconnect: true })
          await link.expectEnd(1000)
        }),
      )
    },
    { phase: 'last' },
  ),
]

async function expectTimeout(scene: Scene, transport: TransportName): Promise<void> {
  const { clientTimeoutMs } = scene.settings
  const link = await Link.open(scene, { transport })
  const startedAt = performance.now()
  await link.expect(TIMED_OUT)
  const ms = Math.round(performance.now() - startedAt)
  expectThat(ms >= clientTimeoutMs - 1000, `not before ${clientTimeoutMs} ms`, `${ms} ms`)
  await link.expectEnd(1000)
}
