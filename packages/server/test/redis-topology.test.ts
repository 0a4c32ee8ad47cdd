import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort, hasRedis, RedisProcess } from '../../../test/support/redis-process.ts'
import { SentinelProcess } from '../../../test/support/sentinel-process.ts'
import { range } from './channel-scene.ts'
import { channelName } from './engine-bounds.ts'
import { createRedisStore } from './redis-scene.ts'
import { append, draft, Follower } from './store-contract.ts'
import { describeSharedStore } from './store-contract-shared.ts'
import { until } from './until.ts'

const FAIL_OVER_MS_MAX = 20_000

describe.skipIf(!hasRedis)('behind Sentinel', () => {
  it('goes on with the replica when the master is gone: the log has a new epoch, and what the replica had', async () => {
    const master = await RedisProcess.start()
    onTestFinished(() => master.close())
    const replica = await RedisProcess.start({ masterPort: master.port })
    onTestFinished(() => replica.close())
    await until(() => master.isReplicated(), 'the replica is there', FAIL_OVER_MS_MAX)
    const sentinel = await SentinelProcess.start('mymaster', master.port)
    onTestFinished(() => sentinel.close())
    const channel = channelName()
    const open = async (): Promise<{ store: ReturnType<typeof createRedisStore>; follower: Follower }> => {
      const store = createRedisStore(`redis+sentinel://127.0.0.1:${sentinel.port}/mymaster`, channel)
      const follower = new Follower()
      await store.open(follower)
      onTestFinished(() => store.close())
      return { store, follower }
    }
    const nodes = [await open(), await open()] as const
    for (const number of range(1, 5)) await append(nodes[0].store, [draft(String(number))])
    await until(() => master.isReplicated(), 'the replica has all')
    const { epoch } = nodes[0].store.state()
    await master.kill()
    await until(() => replica.isMaster(), 'the replica is master', FAIL_OVER_MS_MAX)
    await append(nodes[1].store, [draft('6')])
    for (const { store, follower } of nodes) {
      await until(() => follower.entries.at(-1)?.body === '6', 'each node gets what comes after', FAIL_OVER_MS_MAX)
      expect(follower.epochs).toEqual([{ epoch: store.state().epoch, head: 5, trimmedTo: 0 }])
      expect(store.state().epoch).not.toBe(epoch)
      expect((await store.read(0, 10, 10_000)).entries.map(({ body }) => body)).toEqual(range(1, 6).map(String))
    }
  }, 60_000)
})

describe.skipIf(!hasRedis)('in a Redis Cluster of two', () => {
  let cluster: readonly RedisProcess[] = []

  beforeAll(async () => {
    const start = async (): Promise<RedisProcess> =>
      await RedisProcess.start({ more: ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())] })
    const [one, two] = [await start(), await start()]
    cluster = [one, two]
    one.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
    two.cli('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
    const busPort = two.cli('CONFIG', 'GET', 'cluster-port').split('\n')[1] ?? ''
    one.cli('CLUSTER', 'MEET', '127.0.0.1', String(two.port), busPort)
    for (const redis of cluster) {
      await until(
        () => redis.cli('CLUSTER', 'INFO').includes('cluster_state:ok'),
        'the cluster is whole',
        FAIL_OVER_MS_MAX,
      )
    }
  })
  afterAll(async () => {
    for (const redis of cluster) await redis.close()
  })

  describeSharedStore('redis store', (bounds) => {
    const channel = channelName()
    return Promise.resolve(() => createRedisStore(`redis+cluster://127.0.0.1:${cluster[0]?.port}`, channel, bounds))
  })

  it('has the channels on both nodes', async () => {
    for (const number of range(1, 12)) {
      const store = createRedisStore(`redis+cluster://127.0.0.1:${cluster[1]?.port}`, `channel ${number}`)
      await store.open(new Follower())
      onTestFinished(() => store.close())
      expect(await append(store, [draft('1')])).toEqual([1])
    }
    for (const redis of cluster) expect(redis.cli('KEYS', '*:log:*')).not.toBe('')
  })
})
