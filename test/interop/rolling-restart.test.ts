import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LogServer } from '../support/cluster-process.ts'
import { hasNats, NatsProcess } from '../support/nats-process.ts'
import { hasPostgres, PostgresProcess } from '../support/postgres-process.ts'
import { hasRedis, RedisProcess } from '../support/redis-process.ts'
import { ROLLING_RESTART_MS_MAX, restartInTurn, startNodes } from '../support/rolling-restart.ts'

const engines: readonly { name: string; isThere: boolean; start(): Promise<string> }[] = [
  {
    name: 'Redis',
    isThere: hasRedis,
    async start() {
      const redis = await RedisProcess.start()
      onTestFinished(() => redis.close())
      return redis.url
    },
  },
  {
    name: 'NATS',
    isThere: hasNats,
    async start() {
      const nats = await NatsProcess.start()
      onTestFinished(() => nats.close())
      return nats.url
    },
  },
  {
    name: 'PostgreSQL',
    isThere: hasPostgres,
    async start() {
      const postgres = await PostgresProcess.start()
      onTestFinished(() => postgres.close())
      return postgres.createDatabase()
    },
  },
]

describe('three nodes restarted in turn under 500 posts a second: own clients lose nothing and get nothing twice', () => {
  it.each([0, 1])('on a log in memory (workers: %i)', { timeout: ROLLING_RESTART_MS_MAX }, async (workers) => {
    const log = new LogServer()
    onTestFinished(() => log.close())
    const { nodes, url } = await startNodes({ logPort: await log.listen(), workers })
    await restartInTurn(nodes, url)
  })

  for (const { name, isThere, start } of engines) {
    if (!isThere) {
      console.log(`${name} is not installed: restarts of nodes on it are not tested (scripts/engines.sh installs it)`)
      if (process.env['REQUIRE_ENGINES'] === '1') it(`${name} is installed`, () => expect(isThere).toBe(true))
    }
    it.skipIf(!isThere)(`on ${name}`, { timeout: ROLLING_RESTART_MS_MAX }, async () => {
      const store = `${await start()}?channel=${randomBytes(6).toString('hex')}`
      const { nodes, url } = await startNodes({ store, workers: 0 })
      await restartInTurn(nodes, url)
    })
  }
})
