import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { KillRig } from '../support/kill-rig.ts'
import { hasNats, NatsProcess } from '../support/nats-process.ts'
import { type LostPackets, PacketFilter, packetFilterMissing } from '../support/packet-filter.ts'
import { hasPostgres, PostgresProcess } from '../support/postgres-process.ts'
import { hasRedis, RedisProcess } from '../support/redis-process.ts'

if (packetFilterMissing !== undefined) console.log(`Partitions are not tested: ${packetFilterMissing}`)

/** Longer than any connection is trusted that says nothing, and than posts wait. `CUT_MS=60000 npx vitest run …` */
const CUT_MS = Number(process.env['CUT_MS'] ?? 12_000)
/** What docs/stores.md says: how long a subscription can be lost without anybody noticing. */
const FOUND_MS_MAX = 10_000
const TEST_MS_MAX = 60_000 + 2 * CUT_MS

/** Whom each node asks for the engine: each is cut off in a way of its own, but for the first. */
const WHOLE = '127.0.0.1'
const CUTS: readonly { readonly address: string; readonly lost: LostPackets }[] = [
  { address: '127.0.0.2', lost: 'to' },
  { address: '127.0.0.3', lost: 'from' },
  { address: '127.0.0.4', lost: 'both' },
]
const ADDRESSES = [WHOLE, ...CUTS.map(({ address }) => address)]

interface Engine {
  readonly port: number
  /** The store as a node sees it that has the engine at this address. */
  store(address: string): string
}

const engines: readonly { name: string; isThere: boolean; start(): Promise<Engine> }[] = [
  {
    name: 'Redis',
    isThere: hasRedis,
    async start() {
      const redis = await RedisProcess.start({ more: ['--bind', ...ADDRESSES] })
      onTestFinished(() => redis.close())
      return { port: redis.port, store: (address) => `redis://${address}:${redis.port}?channel=cut` }
    },
  },
  {
    name: 'PostgreSQL',
    isThere: hasPostgres,
    async start() {
      const postgres = await PostgresProcess.start([`listen_addresses = '${ADDRESSES.join(',')}'`])
      onTestFinished(() => postgres.close())
      const database = await postgres.createDatabase()
      return { port: postgres.port, store: (address) => database.replace(WHOLE, address) }
    },
  },
  {
    name: 'NATS',
    isThere: hasNats,
    async start() {
      const nats = await NatsProcess.start()
      onTestFinished(() => nats.close())
      const { port } = nats
      // It listens on one address only. What is lost is lost before it gets to what passes it on from the others.
      for (const { address } of CUTS) {
        const proxy = new CuttingProxy(port)
        await proxy.listen(port, address)
        onTestFinished(() => proxy.close())
      }
      return { port, store: (address) => `nats://${address}:${port}?channel=cut` }
    },
  },
]

async function readiness(url: string): Promise<{ status: number; trouble?: string }> {
  const response = await fetch(`${url}/readyz`)
  return { status: response.status, ...((await response.json()) as { trouble?: string }) }
}

/** Asks until the node answers with the status. */
async function untilStatus(url: string, status: number): Promise<{ trouble?: string }> {
  const end = performance.now() + FOUND_MS_MAX
  for (;;) {
    const answer = await readiness(url)
    if (answer.status === status) return answer
    if (performance.now() > end) throw new Error(`${url} still says ${JSON.stringify(answer)}`)
    await sleep(50)
  }
}

for (const { name, isThere, start } of engines) {
  if (!isThere) {
    console.log(`${name} is not installed: partitions from it are not tested (scripts/engines.sh installs it)`)
    if (process.env['REQUIRE_ENGINES'] === '1') it(`${name} is installed`, () => expect(isThere).toBe(true))
  }
  describe.skipIf(!isThere || packetFilterMissing !== undefined)(`nodes that ${name} is cut off from`, () => {
    it(`one way, the other, and both, for ${CUT_MS} ms: nothing acknowledged is lost, nothing is doubled, all is in order`, {
      timeout: TEST_MS_MAX,
    }, async () => {
      const engine = await start()
      const filter = new PacketFilter(engine.port)
      onTestFinished(() => filter.close())
      const servers = ADDRESSES.map((address) => ({ store: engine.store(address), historyCountMax: 1_000_000 }))
      const rig = await KillRig.start({ servers, clients: 12, posters: 4 })
      onTestFinished(() => rig.close())
      const [whole, ...cut] = rig.servers
      await rig.whilePosting(async () => {
        const cutAt = performance.now()
        for (const { address, lost } of CUTS) filter.cut(address, lost)
        // Nobody told them that the connection is gone; they find out, and say so.
        for (const { url } of cut) expect((await untilStatus(url, 503)).trouble).toContain(name)
        await sleep(Math.max(0, CUT_MS - (performance.now() - cutAt)))
        expect((await readiness(whole?.url ?? '')).status).toBe(200)
        expect(filter.heal()).toBeGreaterThan(0)
        for (const { url } of cut) await untilStatus(url, 200)
      })
      const verdict = await rig.finish(FOUND_MS_MAX)
      console.log(`${name}: ${JSON.stringify(verdict)}, refused and posted again: ${rig.refusals}`)
      // Each post was answered: taken, or refused with `store_failed` (503), and taken the next time.
      expect(rig.silences).toBe(0)
      expect(rig.refusals).toBeGreaterThan(0)
      expect(verdict.gaps).toBe(0)
      expect(verdict.epochs).toBe(1)
      expect(verdict.posts).toBeGreaterThan(100)
    })
  })
}
