import { hasNats } from '../../../test/support/nats-process.ts'
import type { HistoryBounds } from '../src/stores/history-bounds.ts'
import { NatsStore } from '../src/stores/nats.ts'
import { parseNatsAddress } from '../src/stores/nats-address.ts'
import { ENGINE_BOUNDS } from './engine-bounds.ts'
import { type StoreBounds, UNBOUNDED } from './store-contract.ts'

if (!hasNats) {
  const missing = 'nats-server is not installed (scripts/engines.sh installs it)'
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.warn(`Skipped: ${missing}`)
}

/** @param parameters as in the address: `storage=memory` */
export function createNatsStore(
  url: string,
  channel: string,
  bounds: StoreBounds = UNBOUNDED,
  parameters = '',
  more: Partial<HistoryBounds> = {},
): NatsStore {
  const address = parseNatsAddress(`${url}?channel=${encodeURIComponent(channel)}&${parameters}`)
  return new NatsStore(address, { ...ENGINE_BOUNDS, ...bounds, ...more })
}
