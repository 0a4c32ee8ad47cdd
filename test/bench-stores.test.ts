import { expect, it, onTestFinished } from 'vitest'
import { measureStores, storesMarkdown } from '../bench/src/stores-table.ts'
import { hasRedis, RedisProcess } from './support/redis-process.ts'

if (!hasRedis) {
  console.log(
    'redis-server is not installed: the table of stores is not run with two nodes (scripts/engines.sh installs it)',
  )
  if (process.env['REQUIRE_ENGINES'] === '1') it('Redis is installed', () => expect(hasRedis).toBe(true))
}

it.skipIf(!hasRedis)(
  'the table of stores has two nodes beside one, and what all of them posted is in the log',
  async () => {
    const redis = await RedisProcess.start()
    onTestFinished(() => redis.close())
    const options = () => ({ store: `${redis.url}?channel=bench` })
    const contenders = [
      { name: 'redis', title: 'redis', options },
      { name: 'redis-2-nodes', title: 'redis, 2 nodes', options, nodes: 2 },
    ]
    const heads: number[] = []
    const rows = await measureStores(contenders, { rounds: 1, seconds: 0.2 }, () => {
      heads.push(Number(redis.cli('HGET', redis.cli('--scan', '--pattern', '*:meta'), 'head')))
    })
    for (const [index, { rounds }] of rows.entries()) {
      const [round] = rounds
      expect([...(round?.rates.keys() ?? [])]).toEqual([1, 64, 1000])
      let posted = 0
      for (const { perSecond, perCpuSecond } of round?.rates.values() ?? []) {
        expect(perCpuSecond).toBeGreaterThan(0)
        posted += perSecond * 0.2
      }
      // Rates are of what was acknowledged: no more than the log holds, which has the warming up besides.
      expect(posted).toBeGreaterThan(0)
      expect(posted).toBeLessThan((heads[index] ?? 0) - (heads[index - 1] ?? 0))
      expect(round?.latencyP50Ms).toBeGreaterThan(0)
      expect(round?.linesPerSecond).toBeGreaterThan(0)
    }
    expect(storesMarkdown(rows)).toContain('| redis, 2 nodes')
  },
)
