import { describe, expect, it, onTestFinished } from 'vitest'
import { CuttingProxy } from '../../../test/support/cutting-proxy.ts'
import { hasRedis, RedisProcess } from '../../../test/support/redis-process.ts'
import type { Entry } from '../src/channel/entry.ts'
import { parseRedisAddress, RedisKeys } from '../src/stores/redis-address.ts'
import { RedisReader } from '../src/stores/redis-reader.ts'
import { range } from './channel-scene.ts'
import { channelName } from './engine-bounds.ts'
import { createRedisStore } from './redis-scene.ts'
import { append, draft, Follower, UNBOUNDED } from './store-contract.ts'
import { until } from './until.ts'

/** More than Redis is asked for by number, so that the rest is read in larger steps. */
const BEHIND = 40
/** More than the stream keeps beyond history. */
const FORGOTTEN = 700
const BACK_MS_MAX = 10_000

describe.skipIf(!hasRedis)('a node that reads along in Redis, and is behind', () => {
  it('loses nothing where Redis was started anew and no node has looked at the log yet', async () => {
    const redis = await RedisProcess.start({ appendOnly: true, appendSync: 'always' })
    onTestFinished(() => redis.close())
    const channel = channelName()
    const store = createRedisStore(redis.url, channel)
    const { epoch } = await store.open(new Follower())
    await append(
      store,
      range(1, BEHIND).map((number) => draft(String(number))),
    )
    await store.close()
    await redis.kill()
    await redis.startAgain()
    const told: Entry[] = []
    let doubts = 0
    const address = parseRedisAddress(`${redis.url}?channel=${channel}`)
    const reader = new RedisReader({
      address,
      keys: new RedisKeys(channel),
      onEntries: (entries) => void told.push(...entries),
      onDoubt: () => doubts++,
    })
    onTestFinished(() => reader.close())
    reader.follow(epoch, 0)
    await until(() => doubts > 0, 'it says that the log has to be looked at')
    expect(reader.isLost).toBe(false)
    const node = createRedisStore(redis.url, channel)
    onTestFinished(() => node.close())
    expect(await node.open(new Follower())).toMatchObject({ epoch, head: BEHIND })
    await until(() => told.length === BEHIND, 'it has all')
    expect(told.map(({ offset }) => offset)).toEqual(range(1, BEHIND))
    expect(reader.isLost).toBe(false)
  })

  it('goes on in the same epoch, after a gap, where it was cut off for longer than history reaches', async () => {
    const redis = await RedisProcess.start()
    const proxy = new CuttingProxy(redis.port)
    const url = `redis://127.0.0.1:${await proxy.listen()}`
    onTestFinished(async () => {
      await proxy.close()
      await redis.close()
    })
    const channel = channelName()
    const bounds = { ...UNBOUNDED, historyCountMax: 10 }
    const [cutOff, other] = [createRedisStore(url, channel, bounds), createRedisStore(redis.url, channel, bounds)]
    const follower = new Follower()
    for (const [store, whose] of [
      [cutOff, follower],
      [other, new Follower()],
    ] as const) {
      await store.open(whose)
      onTestFinished(() => store.close())
    }
    await append(other, [draft('"before"')])
    await follower.waitFor(1)
    const { epoch } = cutOff.state()
    proxy.refuse(true)
    proxy.cut()
    for (const number of range(1, FORGOTTEN)) await append(other, [draft(String(number))])
    proxy.refuse(false)
    await until(() => follower.epochs.length > 0, 'it is told where the log goes on', BACK_MS_MAX)
    expect(follower.epochs).toEqual([{ epoch, head: 1 + FORGOTTEN, trimmedTo: 1 + FORGOTTEN - 10 }])
    await append(other, [draft('"after"')])
    expect((await follower.waitFor(2)).map(({ body }) => body)).toEqual(['"before"', '"after"'])
  })
})
