import { expect, it } from 'vitest'
import { MemoryStore } from '../src/stores/memory.ts'
import { describeStore } from './store-contract.ts'

let epochs = 0

describeStore('memory store', (bounds) => new MemoryStore({ ...bounds, epoch: `epoch-${++epochs}` }))

it('says that it keeps messages in memory only', () => {
  const bounds = { historyCountMax: 1, historyBytesMax: 1, historyAgeMaxMs: 1, now: () => 0 }
  expect(new MemoryStore({ ...bounds, epoch: 'e' }).durability).toBe('memory')
})
