import { randomBytes } from 'node:crypto'
import type { HistoryBounds } from '../src/stores/history-bounds.ts'

/** Of every engine's store, besides those of history. */
export const ENGINE_BOUNDS: Pick<HistoryBounds, 'storeWaitingBytesMax' | 'durability' | 'onWarning'> = {
  storeWaitingBytesMax: 64 * 1024 * 1024,
  durability: undefined,
  onWarning: () => {},
}

/** A channel's name that no other test has, and that is hard on keys and patterns. */
export function channelName(): string {
  return `test {a}*?[b] ${randomBytes(6).toString('hex')}`
}
