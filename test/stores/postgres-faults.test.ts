import { beforeEach, expect, it, onTestFinished } from 'vitest'
import type { Entry } from '../../packages/server/src/channel/entry.ts'
import type { PostgresStore } from '../../packages/server/src/stores/postgres.ts'
import { append, draft, Follower, UNBOUNDED } from '../../packages/server/test/store-contract.ts'
import { until } from '../../packages/server/test/until.ts'
import { PostgresProxy } from '../support/postgres-proxy.ts'
import { createPostgresStore, describePostgres } from '../support/postgres-scene.ts'

const FOUND_MS_MAX = 10_000

describePostgres('a log in PostgreSQL that fails', [], (postgres) => {
  let database = ''
  beforeEach(async () => {
    database = await postgres().createDatabase()
  })

  async function open(
    address: string = database,
  ): Promise<{ store: PostgresStore; follower: Follower; warnings: string[] }> {
    const warnings: string[] = []
    const follower = new Follower()
    const onWarning = (reason: string): void => {
      warnings.push(reason)
    }
    const store = createPostgresStore(address, UNBOUNDED, { onWarning })
    await store.open(follower)
    onTestFinished(() => store.close())
    return { store, follower, warnings }
  }

  async function proxy(): Promise<{ proxy: PostgresProxy; address: string }> {
    const between = new PostgresProxy(postgres().port)
    const port = await between.listen()
    onTestFinished(() => between.close())
    return { proxy: between, address: database.replace(/:\d+\//, `:${port}/`) }
  }

  const bodies = (follower: { readonly entries: readonly Entry[] }): string[] =>
    follower.entries.map(({ body }) => body)

  it('finds within ten seconds that it is not notified any more', async () => {
    const { proxy: between, address } = await proxy()
    const deaf = await open(address)
    const other = await open()
    between.keepNotifications()
    await append(other.store, [draft('1')])
    const since = performance.now()
    await until(() => deaf.follower.entries.length === 1, 'it has looked', FOUND_MS_MAX)
    console.log(`a lost notification was made up for after ${(performance.now() - since).toFixed(0)} ms`)
    expect(between.kept).toBeGreaterThan(0)
    expect(bodies(deaf.follower)).toEqual(['1'])
    expect(deaf.follower.epochs).toEqual([])
  })

  it('finds within ten seconds that its connections are silent, and misses nothing', async () => {
    const { proxy: between, address } = await proxy()
    const silent = await open(address)
    const other = await open()
    await append(other.store, [draft('1')])
    await silent.follower.waitFor(1)
    between.silence()
    await append(other.store, [draft('2'), draft('3')])
    const since = performance.now()
    await until(() => silent.follower.entries.length === 3, 'it has another connection', FOUND_MS_MAX)
    console.log(`a silent connection was replaced after ${(performance.now() - since).toFixed(0)} ms`)
    expect(bodies(silent.follower)).toEqual(['1', '2', '3'])
    expect(silent.follower.epochs).toEqual([])
    await until(() => silent.store.trouble === undefined, 'all connections are new', FOUND_MS_MAX)
    const appending = performance.now()
    for (;;) {
      const outcome = await silent.store.append([draft('4')]).catch(() => undefined)
      if (outcome) break
    }
    expect(performance.now() - appending).toBeLessThan(FOUND_MS_MAX)
  })

  it('goes on when its connections are cut, again and again, and doubles nothing that is posted once more', async () => {
    const { proxy: between, address } = await proxy()
    const cut = await open(address)
    const other = await open()
    for (let number = 1; number <= 20; number++) {
      const again = draft(String(number), { id: `id-${number}`, isIdempotent: true })
      const post = async (): Promise<void> => {
        for (;;) {
          const outcome = await cut.store.append([again]).catch((error: unknown) => error)
          if (!(outcome instanceof Error)) return
          expect(outcome).toMatchObject({ code: 'store_failed', retry: true })
        }
      }
      const posting = post()
      setTimeout(() => between.cut(), number % 5)
      await posting
    }
    const expected = Array.from({ length: 20 }, (_, index) => String(index + 1))
    await until(
      () => cut.follower.entries.length >= 20 && other.follower.entries.length >= 20,
      'both have all',
      FOUND_MS_MAX,
    )
    expect(bodies(cut.follower)).toEqual(expected)
    expect(bodies(other.follower)).toEqual(expected)
  })

  it('tells what is in the log, not what was posted once more with its id, and keeps the epoch', async () => {
    const { proxy: between, address } = await proxy()
    const deaf = await open(address)
    const other = await open()
    between.keepNotifications()
    const first = draft('1', { isIdempotent: true })
    await append(other.store, [first])
    expect(await append(deaf.store, [{ ...first, body: '2' }])).toEqual([1])
    await append(deaf.store, [draft('3')])
    expect(bodies({ entries: [...(await deaf.follower.waitFor(2))] })).toEqual(['1', '3'])
    expect(bodies({ entries: [...(await other.follower.waitFor(2))] })).toEqual(['1', '3'])
  })

  it('keeps its epoch where the newest entry is one that was posted once more', async () => {
    const { proxy: between, address } = await proxy()
    const deaf = await open(address)
    const other = await open()
    between.keepNotifications()
    const first = draft('1', { isIdempotent: true })
    await append(other.store, [first])
    await append(deaf.store, [{ ...first, postedAt: first.postedAt + 1 }])
    await deaf.follower.waitFor(1)
    // Each new connection begins with a look whether what was seen is there.
    between.cut()
    await until(() => deaf.store.trouble !== undefined, 'the connections are lost')
    await until(() => deaf.store.trouble === undefined, 'they are back', FOUND_MS_MAX)
    expect([...deaf.follower.epochs, ...deaf.warnings]).toEqual([])
  })

  it('says what troubles it while the server is away, takes posts that wait, and goes on in the same epoch', async () => {
    const { proxy: between, address } = await proxy()
    const { store, follower } = await open(address)
    await append(store, [draft('1')])
    between.refuse(true)
    between.cut()
    await until(() => store.trouble !== undefined, 'it is troubled')
    expect(store.trouble).toMatch(/^PostgreSQL can't be reached: /)
    const waiting = store.append([draft('2')])
    between.refuse(false)
    expect(await waiting).toMatchObject({ offsets: [2], durability: 'synced' })
    await until(() => store.trouble === undefined, 'nothing troubles it', FOUND_MS_MAX)
    expect(bodies(follower)).toEqual(['1', '2'])
    expect(follower.epochs).toEqual([])
  })

  it('fails posts that can be tried again when the server is away for too long, or too much waits', {
    timeout: 60_000,
  }, async () => {
    const warnings: string[] = []
    const store = createPostgresStore(database, UNBOUNDED, {
      storeWaitingBytesMax: 10_000,
      onWarning: (reason) => warnings.push(reason),
    })
    await store.open(new Follower())
    onTestFinished(() => store.close())
    await postgres().kill()
    await until(() => store.trouble !== undefined, 'it is troubled')
    const since = performance.now()
    const long = store.append([draft(JSON.stringify('x'.repeat(8000)))])
    await expect(store.append([draft(JSON.stringify('x'.repeat(8000)))])).rejects.toMatchObject({
      code: 'store_failed',
      retry: true,
      message: expect.stringContaining("'storeWaitingBytesMax'"),
    })
    await expect(long).rejects.toMatchObject({ code: 'store_failed', retry: true })
    expect(performance.now() - since).toBeLessThan(15_000)
    await postgres().restart()
    await until(() => store.trouble === undefined, 'nothing troubles it', FOUND_MS_MAX)
    expect(await append(store, [draft('1')])).toEqual([1])
  })

  it('has a new epoch when its table is truncated', async () => {
    const { store, follower } = await open()
    await append(store, [draft('1'), draft('2')])
    const { epoch } = store.state()
    await postgres().query('TRUNCATE serverchannel.entries', database)
    await until(() => follower.epochs.length > 0, 'it is told', FOUND_MS_MAX)
    expect(store.state().epoch).not.toBe(epoch)
    expect(follower.epochs.map((state) => state.epoch)).toEqual([store.state().epoch])
    const { head, trimmedTo } = store.state()
    expect([head, (await store.read(0, 10, 1000)).isTrimmed]).toEqual([trimmedTo, true])
    expect(await append(store, [draft('3')])).toEqual([head + 1])
  })

  it('has a new epoch when its newest entries are gone, also where others took their places', async () => {
    for (const hasOthers of [false, true]) {
      const { store, follower, warnings } = await open()
      await append(store, [draft('1'), draft('2'), draft('3')])
      const { epoch, head } = store.state()
      await postgres().query(
        `WITH gone AS (DELETE FROM serverchannel.entries WHERE "offset" > ${head - 2} RETURNING *)
         INSERT INTO serverchannel.entries (channel, "offset", posted_at, bytes, entry)
         SELECT channel, "offset", posted_at, bytes, replace(entry, 'draft-', 'other-') FROM gone WHERE ${hasOthers}`,
        database,
      )
      await until(() => follower.epochs.length > 0, 'it has noticed', FOUND_MS_MAX)
      expect(store.state().epoch).not.toBe(epoch)
      expect(warnings.join()).toContain('was lost or rewound')
      const [offset = 0] = await append(store, [draft('4')])
      await until(() => store.state().head === offset, 'it has read on')
      await store.close()
    }
  })

  it('has a new epoch when all of it was dropped, and makes it anew', async () => {
    const { store, follower } = await open()
    await append(store, [draft('1')])
    const { epoch } = store.state()
    await postgres().query('DROP SCHEMA serverchannel CASCADE', database)
    await until(() => follower.epochs.length > 0 && store.trouble === undefined, 'it goes on', 20_000)
    expect(store.state().epoch).not.toBe(epoch)
    expect(await append(store, [draft('2')])).toEqual([store.state().head])
  })

  it('has a new epoch in a copy of its database', async () => {
    const { store } = await open()
    await append(store, [draft('1')])
    const { epoch } = store.state()
    await store.close()
    const name = database.split('/').at(-1) ?? ''
    await postgres().query(`CREATE DATABASE ${name}_copy TEMPLATE ${name}`)
    const copy = await open(`${database}_copy`)
    expect(copy.store.state()).toMatchObject({ head: 1 })
    expect(copy.store.state().epoch).not.toBe(epoch)
    expect((await open()).store.state().epoch).toBe(epoch)
  })

  it('promises no more than the settings of the database do', async () => {
    const { store } = await open()
    expect(await store.append([draft('1')])).toMatchObject({ durability: 'synced' })
    await postgres().query('ALTER SYSTEM SET fsync = off')
    await postgres().query('SELECT pg_reload_conf()')
    const levels = new Set<string>()
    const end = performance.now() + FOUND_MS_MAX
    while (!levels.has('logged') && performance.now() < end) levels.add((await store.append([draft('1')])).durability)
    expect(levels).toContain('logged')
    await postgres().query('ALTER SYSTEM RESET fsync')
    await postgres().query('SELECT pg_reload_conf()')
  })

  it('waits for the disk whatever the role is set to', async () => {
    await postgres().query(`ALTER DATABASE ${database.split('/').at(-1)} SET synchronous_commit = off`)
    await postgres().query(
      `ALTER DATABASE ${database.split('/').at(-1)} SET default_transaction_isolation = 'serializable'`,
    )
    const { store } = await open()
    expect(await store.append([draft('1')])).toMatchObject({ durability: 'synced' })
  })

  it('keeps channels apart, whatever they are called', async () => {
    const names = ['a', 'A', 'a b', "'; DROP SCHEMA serverchannel CASCADE; --", '%', '"', '__proto__', '日本']
    const nodes = await Promise.all(names.map((name) => open(`${database}?channel=${encodeURIComponent(name)}`)))
    for (const [index, { store }] of nodes.entries()) await append(store, [draft(String(index))])
    for (const [index, { follower, store }] of nodes.entries()) {
      await store.signal(`from ${index}'; --`)
      expect(bodies({ entries: [...(await follower.waitFor(1))] })).toEqual([String(index)])
      expect(follower.signals).toEqual([])
    }
    expect(new Set(nodes.map(({ store }) => store.state().epoch)).size).toBe(names.length)
  })

  it('refuses a database whose encoding does not hold every message, and one that is not there', async () => {
    await postgres().query("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    const latin = createPostgresStore(postgres().address('latin'), UNBOUNDED)
    await expect(latin.open(new Follower())).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('UTF8'),
    })
    const nowhere = createPostgresStore(postgres().address('nowhere'), UNBOUNDED)
    await expect(nowhere.open(new Follower())).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('"nowhere" does not exist'),
    })
  })
})
