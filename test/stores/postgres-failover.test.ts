import { afterAll, expect, it, onTestFinished } from 'vitest'
import type { Durability } from '../../packages/server/src/channel/store.ts'
import type { PostgresStore } from '../../packages/server/src/stores/postgres.ts'
import { draft, Follower, UNBOUNDED } from '../../packages/server/test/store-contract.ts'
import { until } from '../../packages/server/test/until.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { KillRig } from '../support/kill-rig.ts'
import type { PostgresProcess } from '../support/postgres-process.ts'
import { createPostgresStore, describePostgres } from '../support/postgres-scene.ts'

const FOUND_MS_MAX = 20_000
const TEST_MS_MAX = 120_000
const WAITING = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
const ALONE = "synchronous_standby_names = ''"

/** A primary of a test's own with a standby, and the one address under which whichever of them is the primary is found. */
interface Pair {
  readonly primary: PostgresProcess
  readonly standby: PostgresProcess
  readonly proxy: CuttingProxy
  readonly address: string
}

describePostgres('a log in PostgreSQL with a standby', [], (postgres) => {
  /** Who was promoted last: each fail-over's new primary is the next one's old one. */
  let promoted: PostgresProcess | undefined
  afterAll(() => promoted?.close())

  async function startPair(isSynchronous: boolean): Promise<Pair> {
    const primary = promoted ?? postgres()
    await primary.set(ALONE)
    const database = await primary.createDatabase()
    // What it takes over when it is promoted waits for no other.
    const standby = await primary.startStandby([ALONE])
    onTestFinished(() => (standby === promoted ? undefined : standby.close()))
    if (isSynchronous) {
      await primary.set("synchronous_standby_names = 'standby'")
      await primary.untilRow(
        "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'",
        'commits wait for the standby',
      )
    }
    const proxy = new CuttingProxy(primary.port)
    const port = await proxy.listen()
    onTestFinished(() => proxy.close())
    return { primary, standby, proxy, address: database.replace(/:\d+\//, `:${port}/`) }
  }

  async function failOver({ primary, standby, proxy }: Pair): Promise<void> {
    await primary.kill()
    await standby.promote()
    if (primary === promoted) await primary.close()
    promoted = standby
    proxy.targetPort = standby.port
    proxy.cut()
  }

  async function open(address: string): Promise<{ store: PostgresStore; follower: Follower }> {
    const follower = new Follower()
    const store = createPostgresStore(address, UNBOUNDED)
    await store.open(follower)
    onTestFinished(() => store.close())
    return { store, follower }
  }

  /** Posts until it is taken, as whoever gets `store_failed` does. */
  async function post(store: PostgresStore, body: string): Promise<{ epoch: string; durability: Durability }> {
    const message = draft(body, { isIdempotent: true })
    const end = performance.now() + FOUND_MS_MAX
    for (;;) {
      try {
        return await store.append([message])
      } catch (error) {
        if (performance.now() > end) throw error
      }
    }
  }

  it('says `replicated` of what the standby has, shows nobody what it has not, and says less where nobody waits for it', {
    timeout: TEST_MS_MAX,
  }, async () => {
    const { primary, standby, address } = await startPair(true)
    const { store, follower } = await open(address)
    expect(store.durability).toBe('replicated')
    expect(await post(store, '1')).toMatchObject({ durability: 'replicated' })
    await standby.kill()
    let isOver = false
    const waiting = post(store, '2').finally(() => (isOver = true))
    await primary.untilRow(WAITING, 'a commit waits for the standby')
    expect([isOver, follower.entries.length]).toEqual([false, 1])
    await standby.restart()
    expect(await waiting).toMatchObject({ durability: 'replicated' })
    await standby.kill()
    const released = post(store, '3')
    await primary.untilRow(WAITING, 'another one does')
    await primary.set(ALONE)
    expect(await released).toMatchObject({ durability: 'synced' })
    expect(await post(store, '4')).toMatchObject({ durability: 'synced' })
    await until(() => store.durability === 'synced', 'the node has noticed', FOUND_MS_MAX)
    expect((await follower.waitFor(4)).map(({ body }) => body)).toEqual(['1', '2', '3', '4'])
  })

  it('has what transactions post wait for the standby too, whatever they want, where standbys are said to be synchronous', {
    timeout: TEST_MS_MAX,
  }, async () => {
    const { primary, standby, address } = await startPair(true)
    const { follower } = await open(`${address}?standbys=synchronous`)
    await standby.kill()
    const text = "SET synchronous_commit = off; SELECT serverchannel.post_message_to_all('Test', to_jsonb(1))"
    const posting = primary.query(text, address)
    await primary.untilRow(WAITING, 'the commit waits for the standby')
    expect(follower.entries).toEqual([])
    await standby.restart()
    await posting
    expect((await follower.waitFor(1)).map(({ body }) => body)).toEqual(['1'])
  })

  it('goes on in the same epoch where standbys are said to be synchronous, and a node finds there what it saw', {
    timeout: TEST_MS_MAX,
  }, async () => {
    const pair = await startPair(true)
    const { store, follower } = await open(`${pair.address}?standbys=synchronous`)
    for (const body of ['1', '2', '3']) await post(store, body)
    const { epoch } = store.state()
    await failOver(pair)
    expect(await post(store, '4')).toMatchObject({ epoch, durability: 'synced' })
    await until(() => store.trouble === undefined, 'each of its connections is back', FOUND_MS_MAX)
    expect((await follower.waitFor(4)).map(({ body }) => body)).toEqual(['1', '2', '3', '4'])
    expect(follower.epochs).toEqual([])
    expect((await store.read(0, 10, 10_000)).entries.map(({ body }) => body)).toEqual(['1', '2', '3', '4'])
  })

  it.each([
    ['it is not said that standbys are synchronous', '', true],
    ['it is said, but commits waited for none', '?standbys=synchronous', false],
  ] as const)(
    'begins another epoch, with all that is there, where %s',
    { timeout: TEST_MS_MAX },
    async (_why, parameters, isSynchronous) => {
      const pair = await startPair(isSynchronous)
      const { store, follower } = await open(`${pair.address}${parameters}`)
      await post(store, '1')
      const { epoch } = store.state()
      await hasAll(pair)
      await failOver(pair)
      const after = await post(store, '2')
      expect(after.epoch).not.toBe(epoch)
      await until(() => follower.epochs.length > 0, 'it is told', FOUND_MS_MAX)
      expect(follower.epochs.map((state) => state.epoch)).toEqual([after.epoch])
      await until(() => store.trouble === undefined, 'each of its connections is back', FOUND_MS_MAX)
      expect((await store.read(0, 10, 10_000)).entries.map(({ body }) => body)).toEqual(['1', '2'])
    },
  )

  it('begins another epoch where no node is left that saw the log before', { timeout: TEST_MS_MAX }, async () => {
    const pair = await startPair(true)
    const before = await open(`${pair.address}?standbys=synchronous`)
    await post(before.store, '1')
    const { epoch } = before.store.state()
    await before.store.close()
    await failOver(pair)
    const { store } = await open(`${pair.address}?standbys=synchronous`)
    expect(store.state().epoch).not.toBe(epoch)
    expect(store.state().head).toBe(1)
  })

  it('begins another epoch, and says what was lost, where a standby is promoted that was said to have everything and has not', {
    timeout: TEST_MS_MAX,
  }, async () => {
    const pair = await startPair(true)
    const { store, follower } = await open(`${pair.address}?standbys=synchronous`)
    await post(store, '1')
    const { epoch } = store.state()
    await pair.standby.kill()
    // Somebody lets commits go that wait, and then promotes a standby that was synchronous no more.
    await pair.primary.set(ALONE)
    for (const body of ['2', '3']) await post(store, body)
    await pair.primary.kill()
    await pair.standby.restart()
    await failOver(pair)
    for (const body of ['4', '5', '6']) expect((await post(store, body)).epoch).not.toBe(epoch)
    await until(() => follower.epochs.length > 0, 'it is told', FOUND_MS_MAX)
    await until(() => store.trouble === undefined, 'each of its connections is back', FOUND_MS_MAX)
    expect((await store.read(0, 10, 10_000)).entries.map(({ body }) => body)).toEqual(['1', '4', '5', '6'])
  })

  it('two servers, 50 clients, 2 posters: the primary is killed -9, its synchronous standby takes over: nothing is lost', {
    timeout: TEST_MS_MAX,
  }, async () => {
    const pair = await startPair(true)
    const verdict = await failOverWhilePosting(pair, '?standbys=synchronous', () => failOver(pair))
    console.log(`synchronous: ${JSON.stringify(verdict)}`)
    expect(verdict).toMatchObject({ epochs: 1, gaps: 0 })
  })

  it('two servers, 50 clients, 2 posters: a standby takes over that lacks the newest commits: another epoch says so to all', {
    timeout: TEST_MS_MAX,
  }, async () => {
    const pair = await startPair(false)
    const verdict = await failOverWhilePosting(pair, '', async (rig) => {
      await hasAll(pair)
      await pair.standby.kill()
      const { posts } = rig
      await until(() => rig.posts > posts + 20, 'more is posted, which it lacks', FOUND_MS_MAX)
      await pair.primary.kill()
      await pair.standby.restart()
      await failOver(pair)
    })
    console.log(`asynchronous: ${JSON.stringify(verdict)}`)
    expect(verdict).toMatchObject({ epochs: 2, gaps: 50 })
  })

  async function failOverWhilePosting(
    { address }: Pair,
    parameters: string,
    upset: (rig: KillRig) => Promise<void>,
  ): Promise<Awaited<ReturnType<KillRig['finish']>>> {
    const server = { store: `${address}${parameters}`, historyCountMax: 1_000_000 }
    const rig = await KillRig.start({ servers: [server, server] })
    onTestFinished(() => rig.close())
    await rig.whilePosting(() => upset(rig), 50)
    await rig.whilePosting(async () => {}, 20)
    return await rig.finish()
  }
})

/** Waits until the standby has what the primary has now. */
async function hasAll({ primary }: Pair): Promise<void> {
  const [now] = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn')
  await primary.untilRow(`SELECT FROM pg_stat_replication WHERE replay_lsn >= '${now?.lsn}'`, 'the standby has all')
}
