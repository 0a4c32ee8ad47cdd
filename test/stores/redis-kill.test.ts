import { describe, expect, it, onTestFinished } from 'vitest'
import { KillRig } from '../support/kill-rig.ts'
import { hasRedis, RedisProcess, type RedisSettings } from '../support/redis-process.ts'

if (!hasRedis) {
  const missing = 'redis-server is not installed: kills of it are not tested (scripts/engines.sh installs it)'
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.log(missing)
}

/** Of servers, and of the engine with each setting. `KILLS=200 npx vitest run test/stores/redis-kill.test.ts` */
const kills = Number(process.env['KILLS'] ?? 15)
const TEST_MS_MAX = 60_000 + kills * 20_000

async function startRig(settings: RedisSettings): Promise<{ redis: RedisProcess; rig: KillRig }> {
  const redis = await RedisProcess.start(settings)
  onTestFinished(() => redis.close())
  const server = { store: `${redis.url}?channel=kill`, historyCountMax: 1_000_000 }
  const rig = await KillRig.start({ servers: [server, server] })
  onTestFinished(() => rig.close())
  return { redis, rig }
}

describe.skipIf(!hasRedis)('two servers on one Redis, 50 clients and 2 posters', () => {
  it(`servers are killed -9 ${kills} times: nothing is lost, doubled or out of order`, {
    timeout: TEST_MS_MAX,
  }, async () => {
    const { rig } = await startRig({})
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
    ['always', 'the log is as it was', (epochs: number) => expect(epochs).toBe(1)],
    [
      'everysec',
      'each time a new epoch says that the end may be lost',
      (epochs: number) => expect(epochs).toBe(kills + 1),
    ],
  ] as const)(
    `Redis, appendfsync %s, is killed -9 ${kills} times: %s`,
    async (appendSync, _what, requireEpochs) => {
      const { redis, rig } = await startRig({ appendOnly: true, appendSync })
      for (let kill = 0; kill < kills; kill++) {
        await rig.whilePosting(async () => {
          await redis.kill()
          await redis.startAgain()
        })
      }
      const verdict = await rig.finish()
      console.log(`${appendSync}: ${JSON.stringify(verdict)}`)
      requireEpochs(verdict.epochs)
      if (appendSync === 'always') expect(verdict.gaps).toBe(0)
      else expect(verdict.gaps).toBeGreaterThan(kills)
      expect(verdict.posts).toBeGreaterThan(10 * kills)
    },
    TEST_MS_MAX,
  )
})
