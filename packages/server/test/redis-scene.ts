import { randomBytes } from 'node:crypto'
import { hasRedis } from '../../../test/support/redis-process.ts'
import type { HistoryBounds } from '../src/stores/open-store.ts'
import { RedisStore } from '../src/stores/redis.ts'
import { parseRedisAddress } from '../src/stores/redis-address.ts'
import { type StoreBounds, UNBOUNDED } from './store-contract.ts'

if (!hasRedis) {
  const missing = 'redis-server is not installed (scripts/engines.sh installs it)'
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.warn(`Skipped: ${missing}`)
}

/** A channel's name that no other test has, and that is hard on keys and patterns. */
export function channelName(): string {
  return `test {a}*?[b] ${randomBytes(6).toString('hex')}`
}

/** Of every engine's store, besides those of history. */
export const ENGINE_BOUNDS: Pick<HistoryBounds, 'storeWaitingBytesMax' | 'durability' | 'onWarning'> = {
  storeWaitingBytesMax: 64 * 1024 * 1024,
  durability: undefined,
  onWarning: () => {},
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
