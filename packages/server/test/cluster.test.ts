import { expect, it, onTestFinished } from 'vitest'
import type { Store } from '../src/channel/store.ts'
import { createServerChannel } from '../src/index.ts'
import { MemoryStore } from '../src/stores/memory.ts'
import { SharedLog } from '../src/stores/shared-log.ts'
import { byQuery, describeCluster } from './cluster-contract.ts'
import { describeClusterHubs } from './cluster-hubs-contract.ts'
import { createSqlite } from './sqlite-scene.ts'
import { UNBOUNDED } from './store-contract.ts'

/** Nodes in this process, each with the log as a process with workers has it. */
function openShared(store: Store): Promise<() => Store> {
  const log = new SharedLog(store)
  return Promise.resolve(() => log.view())
}

describeCluster('memory', () => openShared(new MemoryStore({ ...UNBOUNDED, epoch: 'shared' })))
describeClusterHubs('memory', () => openShared(new MemoryStore({ ...UNBOUNDED, epoch: 'shared' })))
describeCluster('SQLite', () => openShared(createSqlite()))

it('does all of that alone as well', async () => {
  const channel = await createServerChannel({ authenticate: byQuery })
  onTestFinished(() => channel.close())
  expect(await channel.addToGroup('nobody', 'g')).toBe(false)
  expect(await channel.disconnectUser('nobody')).toBe(0)
  expect(channel.presence().size).toBe(0)
  expect(channel.nodeCount).toBe(1)
})
