import { describe, expect, it, onTestFinished } from 'vitest'
import { SIGNAL_BYTES_MAX, type Store } from '../src/channel/store.ts'
import { range } from './channel-scene.ts'
import { append, draft, Follower, FULL, type StoreBounds, UNBOUNDED } from './store-contract.ts'
import { until } from './until.ts'

/** Makes the log of a test, empty. @returns what makes another node's store on it; the suite opens and closes them */
export type CreateLog = (bounds: StoreBounds) => Promise<() => Store | Promise<Store>>

interface Node {
  readonly store: Store
  readonly follower: Follower
}

/** What every store has to do that several nodes have open at the same time, besides the suite for all stores. */
export function describeSharedStore(name: string, createLog: CreateLog): void {
  async function openLog(bounds: Partial<StoreBounds> = {}): Promise<() => Promise<Node>> {
    const createStore = await createLog({ ...UNBOUNDED, ...bounds })
    return async () => {
      const store = await createStore()
      const follower = new Follower()
      await store.open(follower)
      onTestFinished(() => store.close())
      return { store, follower }
    }
  }

  describe(`${name}: several nodes`, () => {
    it('are told of all entries, in one order, whoever appends', async () => {
      const open = await openLog()
      const nodes = [await open(), await open(), await open()]
      await Promise.all(
        nodes.flatMap(({ store }, node) =>
          range(1, 20).map((number) => append(store, [draft(`"${node}.${number}"`), draft('"second"', FULL)])),
        ),
      )
      const [first = [], ...others] = await Promise.all(nodes.map(({ follower }) => follower.waitFor(120)))
      expect(first.map(({ offset }) => offset)).toEqual(range(1, 120))
      for (const other of others) expect(other).toEqual(first)
    })

    it('take one idempotent id once, also at the same time', async () => {
      const open = await openLog()
      const nodes = [await open(), await open()]
      const x = draft('1', { id: 'x', isIdempotent: true })
      const offsets = await Promise.all(
        nodes.flatMap(({ store }) => range(1, 5).map(async () => (await append(store, [x]))[0])),
      )
      expect(new Set(offsets)).toEqual(new Set([1]))
      for (const { store } of nodes.slice(1)) await append(store, [draft('"end"')])
      for (const { follower } of nodes) {
        expect((await follower.waitFor(2)).map(({ body }) => body)).toEqual(['1', '"end"'])
      }
    })

    it('are told of what the log holds where others append the same id with something else', async () => {
      const open = await openLog()
      const nodes = [await open(), await open()]
      const ids = range(1, 40)
      for (const id of ids) {
        const appends = nodes.map(({ store }, node) =>
          append(store, [draft(`"${node}"`, { id: `${id}`, isIdempotent: true, postedAt: Date.now() + node })]),
        )
        expect(await Promise.all(appends)).toEqual([[id], [id]])
      }
      const [one, two] = await Promise.all(nodes.map(({ follower }) => follower.waitFor(ids.length)))
      expect(one?.map(({ offset }) => offset)).toEqual(ids)
      expect(two).toEqual(one)
      expect((await nodes[1]?.store.read(0, 100, 1_000_000))?.entries).toEqual(one)
    })

    it('go on where the log is when they come later, and read what was before', async () => {
      const open = await openLog()
      const one = await open()
      await append(one.store, [draft('1'), draft('2')])
      const two = await open()
      expect(two.store.state()).toEqual(one.store.state())
      expect((await two.store.read(0, 10, 1_000_000)).entries.map(({ body }) => body)).toEqual(['1', '2'])
      await append(two.store, [draft('3')])
      expect((await one.follower.waitFor(3)).map(({ offset }) => offset)).toEqual([1, 2, 3])
      expect((await two.follower.waitFor(1)).map(({ offset }) => offset)).toEqual([3])
    })

    it('keep the log when all of them have closed it', async () => {
      const open = await openLog()
      const one = await open()
      await append(one.store, [draft('1'), draft('2', { id: 'x', isIdempotent: true })])
      // It may be told after it is acknowledged.
      await one.follower.waitFor(2)
      const state = one.store.state()
      await one.store.close()
      const two = await open()
      expect(two.store.state()).toEqual(state)
      expect(await append(two.store, [draft('2', { id: 'x', isIdempotent: true }), draft('3')])).toEqual([2, 3])
    })

    it('hear the signals of others, whole and in order, and not their own', async () => {
      const open = await openLog()
      const [one, two, three] = [await open(), await open(), await open()]
      const long = 'é'.repeat(Math.floor(SIGNAL_BYTES_MAX / 2))
      await one.store.signal(long)
      for (const number of range(1, 20)) await one.store.signal(`"${number}" '\u2028 😀`)
      await two.store.signal('end')
      const expected = [long, ...range(1, 20).map((number) => `"${number}" '\u2028 😀`)]
      await until(() => two.follower.signals.length === 21, 'the second node has heard all')
      await until(() => three.follower.signals.length === 22, 'the third node has heard all')
      expect(two.follower.signals).toEqual(expected)
      expect(three.follower.signals.filter((text) => text !== 'end')).toEqual(expected)
      await until(() => one.follower.signals.length === 1, 'the first node has heard the second')
      expect(one.follower.signals).toEqual(['end'])
    })

    it('say that nothing troubles them', async () => {
      const open = await openLog()
      expect((await open()).store.trouble).toBeUndefined()
    })
  })
}
