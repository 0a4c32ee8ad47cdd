import { hasRedis } from '../../../test/support/redis-process.ts'
import type { HistoryBounds } from '../src/stores/history-bounds.ts'
import { RedisStore } from '../src/stores/redis.ts'
import { parseRedisAddress } from '../src/stores/redis-address.ts'
import { ENGINE_BOUNDS } from './engine-bounds.ts'
import { type StoreBounds, UNBOUNDED } from './store-contract.ts'

if (!hasRedis) {
  const missing = 'redis-server is not installed (scripts/engines.sh installs it)'
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.warn(`Skipped: ${missing}`)
}

/** @param parameters as in the address: `replicas=1` */
export function createRedisStore(
  url: string,
  channel: string,
  bounds: StoreBounds = UNBOUNDED,
  parameters = '',
  more: Partial<HistoryBounds> = {},
): RedisStore {
  const address = parseRedisAddress(`${url}?channel=${encodeURIComponent(channel)}&${parameters}`)
  return new RedisStore(address, { ...ENGINE_BOUNDS, ...bounds, ...more })
}
