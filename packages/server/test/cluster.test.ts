import { expect, it, onTestFinished } from 'vitest'
import { createServerChannel } from '../src/index.ts'
import { MemoryStore } from '../src/stores/memory.ts'
import { SharedLog } from '../src/stores/shared-log.ts'
import { byQuery, describeCluster } from './cluster-contract.ts'
import { describeClusterHubs } from './cluster-hubs-contract.ts'
import { UNBOUNDED } from './store-contract.ts'

function openLog() {
  const log = new SharedLog(new MemoryStore({ ...UNBOUNDED, epoch: 'shared' }))
  return Promise.resolve(() => log.view())
}

describeCluster('memory', openLog)
describeClusterHubs('memory', openLog)

it('does all of that alone as well', async () => {
  const channel = await createServerChannel({ authenticate: byQuery })
  onTestFinished(() => channel.close())
  expect(await channel.addToGroup('nobody', 'g')).toBe(false)
  expect(await channel.disconnectUser('nobody')).toBe(0)
  expect(channel.presence().size).toBe(0)
  expect(channel.nodeCount).toBe(1)
})
