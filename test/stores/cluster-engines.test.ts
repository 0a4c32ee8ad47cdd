import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeCluster, type OpenLog } from '../../packages/server/test/cluster-contract.ts'
import { describeClusterHubs } from '../../packages/server/test/cluster-hubs-contract.ts'
import { hasNats, NatsProcess } from '../support/nats-process.ts'
import { hasPostgres, PostgresProcess } from '../support/postgres-process.ts'
import { hasRedis, RedisProcess } from '../support/redis-process.ts'

interface Engine {
  readonly url: string
  close(): Promise<void>
}

const engines: readonly { name: string; isThere: boolean; start(): Promise<Engine> }[] = [
  { name: 'Redis', isThere: hasRedis, start: () => RedisProcess.start() },
  { name: 'NATS', isThere: hasNats, start: () => NatsProcess.start() },
  {
    name: 'PostgreSQL',
    isThere: hasPostgres,
    async start() {
      const postgres = await PostgresProcess.start()
      return { url: await postgres.createDatabase(), close: () => postgres.close() }
    },
  },
]

for (const { name, isThere, start } of engines) {
  if (!isThere) {
    console.log(`${name} is not installed: clusters on it are not tested (scripts/engines.sh installs it)`)
    if (process.env['REQUIRE_ENGINES'] === '1') it(`${name} is installed`, () => expect(isThere).toBe(true))
  }
  describe.skipIf(!isThere)(`${name}, an instance of its own`, () => {
    let engine: Engine | undefined
    beforeAll(async () => {
      engine = await start()
    }, 60_000)
    afterAll(async () => {
      await engine?.close()
    })
    const openLog: OpenLog = () => {
      const address = `${engine?.url}?channel=${randomBytes(6).toString('hex')}`
      return Promise.resolve(() => address)
    }
    describeCluster(name, openLog)
    describeClusterHubs(name, openLog)
  })
}
