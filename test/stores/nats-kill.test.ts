import { describe, expect, it, onTestFinished } from 'vitest'
import { KillRig } from '../support/kill-rig.ts'
import { hasNats, NatsProcess } from '../support/nats-process.ts'

if (!hasNats) {
  const missing = 'nats-server is not installed: kills of it are not tested (scripts/engines.sh installs it)'
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.log(missing)
}

/** Of servers, and of the engine in each way. `KILLS=200 npx vitest run test/stores/nats-kill.test.ts` */
const kills = Number(process.env['KILLS'] ?? 30)
const TEST_MS_MAX = 60_000 + kills * 20_000

async function startRig(parameters: string): Promise<{ nats: NatsProcess; rig: KillRig }> {
  const nats = await NatsProcess.start()
  onTestFinished(() => nats.close())
  const server = { store: `${nats.url}?channel=kill${parameters}`, historyCountMax: 1_000_000 }
  const rig = await KillRig.start({ servers: [server, server] })
  onTestFinished(() => rig.close())
  return { nats, rig }
}

describe.skipIf(!hasNats)('two servers on one NATS, 50 clients and 2 posters', () => {
  it(`servers are killed -9 ${kills} times: nothing is lost, doubled or out of order`, {
    timeout: TEST_MS_MAX,
  }, async () => {
    const { rig } = await startRig('')
    for (let kill = 0; kill < kills; kill++) {
      await rig.whilePosting(async () => {
        const server = rig.servers[kill % 2]
        await server?.kill()
        await server?.start()
      })
    }
    const verdict = await rig.finish()
    console.log(`servers: ${JSON.stringify(verdict)}`)
    expect(verdict.epochs).toBe(1)
    expect(verdict.gaps).toBe(0)
    expect(verdict.recoveries).toBeGreaterThan(kills)
    expect(verdict.posts).toBeGreaterThan(10 * kills)
  })

  it.each([
    ['which is said to sync always', 'the log is as it was', '&sync=always', 1],
    ['which syncs now and then', 'each time a new epoch says that the end may be lost', '', kills + 1],
  ])(
    `NATS, %s, is killed -9 ${kills} times: %s`,
    async (how, _what, parameters, epochs) => {
      const { nats, rig } = await startRig(parameters)
      for (let kill = 0; kill < kills; kill++) {
        await rig.whilePosting(async () => {
          await nats.kill()
          await nats.startAgain()
        })
      }
      const verdict = await rig.finish()
      console.log(`${how}: ${JSON.stringify(verdict)}`)
      expect(verdict.epochs).toBe(epochs)
      if (epochs === 1) expect(verdict.gaps).toBe(0)
      else expect(verdict.gaps).toBeGreaterThan(kills)
      expect(verdict.posts).toBeGreaterThan(10 * kills)
    },
    TEST_MS_MAX,
  )
})
