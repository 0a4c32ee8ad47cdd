import { describe, expect, it, onTestFinished } from 'vitest'
import { NatsCluster } from '../../packages/server/test/nats-cluster.ts'
import { createNatsStore } from '../../packages/server/test/nats-scene.ts'
import { Follower } from '../../packages/server/test/store-contract.ts'
import { KillRig } from '../support/kill-rig.ts'
import { hasNats } from '../support/nats-process.ts'

/** `KILLS=50 npx vitest run test/stores/nats-cluster.test.ts` */
const kills = Number(process.env['KILLS'] ?? 5)
const READY_MS_MAX = 30_000

/** Makes the stream, which takes a leader of the cluster. */
async function makeLog(url: string, channel: string): Promise<void> {
  const end = performance.now() + READY_MS_MAX
  for (;;) {
    const store = createNatsStore(url, channel, undefined, 'replicas=3')
    try {
      await store.open(new Follower())
      await store.close()
      return
    } catch (error) {
      await store.close()
      if (performance.now() > end) throw error
    }
  }
}

async function postOne(url: string): Promise<unknown> {
  const response = await fetch(`${url}/api/messages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ sender: 'Other', body: 1, to: { users: 'nobody' } }),
  })
  return await response.json()
}

describe.skipIf(!hasNats)('two servers on a NATS cluster of three, with three replicas', () => {
  it(`the leader is killed -9 ${kills} times: nothing is lost, doubled or out of order, in one epoch`, {
    timeout: 60_000 + kills * 30_000,
  }, async () => {
    const cluster = await NatsCluster.start(3)
    onTestFinished(() => cluster.close())
    await makeLog(cluster.url, 'kill')
    const server = { store: `${cluster.url}?channel=kill&replicas=3`, historyCountMax: 1_000_000 }
    const rig = await KillRig.start({ servers: [server, server] })
    onTestFinished(() => rig.close())
    const leaders = new Set<unknown>()
    for (let kill = 0; kill < kills; kill++) {
      const leader = await cluster.leader()
      leaders.add(leader)
      await rig.whilePosting(() => leader.kill())
      await rig.whilePosting(() => leader.startAgain())
    }
    const verdict = await rig.finish()
    console.log(`cluster: ${JSON.stringify(verdict)}, ${leaders.size} leaders`)
    expect(verdict).toMatchObject({ epochs: 1, gaps: 0 })
    expect(verdict.posts).toBeGreaterThan(20 * kills)
    expect(leaders.size).toBeGreaterThan(1)
    expect(await postOne(rig.servers[0]?.url ?? '')).toMatchObject({ durability: 'replicated' })
  })
})
