import { afterAll, beforeAll, describe } from 'vitest'
import { hasRedis, RedisProcess } from '../../../test/support/redis-process.ts'
import { channelName } from './engine-bounds.ts'
import { createRedisStore } from './redis-scene.ts'
import { describeStore } from './store-contract.ts'
import { describeSharedStore } from './store-contract-shared.ts'

describe.skipIf(!hasRedis)('on a Redis', () => {
  let redis: RedisProcess

  beforeAll(async () => {
    redis = await RedisProcess.start()
  })
  afterAll(() => redis.close())

  describeStore('redis store', (bounds) => createRedisStore(redis.url, channelName(), bounds))

  describeSharedStore('redis store', (bounds) => {
    const channel = channelName()
    return Promise.resolve(() => createRedisStore(redis.url, channel, bounds))
  })
})
