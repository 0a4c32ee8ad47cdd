import { describe, expect, it, onTestFinished } from 'vitest'
import { type Draft, draftBytes, type Entry } from '../src/channel/entry.ts'
import type { LogFollower, LogState, Store } from '../src/channel/store.ts'
import { range } from './channel-scene.ts'
import { until } from './until.ts'

/** What the suite asks of a store: bounds of its history, and the time that age is measured by. */
export interface StoreBounds {
  readonly historyCountMax: number
  readonly historyBytesMax: number
  readonly historyAgeMaxMs: number
  readonly now: () => number
}

/** Makes a store with a log of its own, which is empty. The suite opens it and closes it. */
export type CreateStore = (bounds: StoreBounds) => Store | Promise<Store>

/** Keeps what it is told. */
export class Follower implements LogFollower {
  readonly entries: Entry[] = []
  readonly epochs: LogState[] = []
  readonly signals: string[] = []

  onEntries(entries: readonly Entry[]): void {
    this.entries.push(...entries)
  }

  onEpoch(state: LogState): void {
    this.epochs.push(state)
  }

  onSignal(text: string): void {
    this.signals.push(text)
  }

  async waitFor(count: number): Promise<readonly Entry[]> {
    await until(() => this.entries.length >= count, `the follower is told of ${count} entries`)
    return this.entries
  }
}

export const UNBOUNDED: StoreBounds = {
  historyCountMax: 100_000,
  historyBytesMax: 1_000_000_000,
  historyAgeMaxMs: 86_400_000,
  now: () => Date.now(),
}

/** What every store has to do, whatever it keeps its log in. */
export function describeStore(name: string, create: CreateStore): void {
  async function open(
    bounds: Partial<StoreBounds> = {},
  ): Promise<{ store: Store; follower: Follower; state: LogState }> {
    const store = await create({ ...UNBOUNDED, ...bounds })
    const follower = new Follower()
    const state = await store.open(follower)
    onTestFinished(() => store.close())
    return { store, follower, state }
  }

  describe(`${name}: appending`, () => {
    it('begins with an empty log of some epoch', async () => {
      const { store, state } = await open()
      expect(state).toEqual({ epoch: expect.stringMatching(/^.{1,64}$/), head: 0, trimmedTo: 0 })
      expect(store.state()).toEqual(state)
    })

    it('gives offsets from 1 without a gap, over appends of any size', async () => {
      const { store } = await open()
      expect(await append(store, [draft('a')])).toEqual([1])
      expect(
        await append(
          store,
          ['b', 'c', 'd'].map((body) => draft(body)),
        ),
      ).toEqual([2, 3, 4])
      expect(await append(store, [])).toEqual([])
      expect(await append(store, [draft('e')])).toEqual([5])
      expect(store.state().head).toBe(5)
    })

    it('tells the follower of each entry, whole and in order', async () => {
      const { store, follower } = await open()
      const drafts = [draft('null'), draft('"text"', FULL), draft('{"__proto__":1,"a":[]}')]
      await append(store, drafts)
      expect(await follower.waitFor(3)).toEqual(drafts.map((each, index) => ({ ...each, offset: index + 1 })))
    })

    it('keeps an append together and tells the follower of all in one order, when many append at once', async () => {
      const { store, follower } = await open()
      const batches = range(1, 60).map((number) =>
        range(1, 1 + (number % 3)).map((part) => draft(`"${number}.${part}"`)),
      )
      const offsets = await Promise.all(batches.map((batch) => append(store, batch)))
      const total = batches.flat().length
      const entries = await follower.waitFor(total)
      expect(entries.map(({ offset }) => offset)).toEqual(range(1, total))
      batches.forEach((batch, index) => {
        const first = offsets[index]?.[0] ?? 0
        expect(offsets[index]).toEqual(range(first, first + batch.length - 1))
        expect(entries.slice(first - 1, first - 1 + batch.length)).toMatchObject(batch)
      })
    })

    it('keeps the order of those who wait for each append before the next', async () => {
      const { store, follower } = await open()
      const poster = async (who: string): Promise<void> => {
        for (const number of range(1, 20)) await append(store, [draft(`"${who}${number}"`)])
      }
      await Promise.all(['a', 'b', 'c'].map(poster))
      const entries = await follower.waitFor(60)
      for (const who of ['a', 'b', 'c']) {
        const own = entries.map(({ body }) => JSON.parse(body) as string).filter((body) => body.startsWith(who))
        expect(own).toEqual(range(1, 20).map((number) => `${who}${number}`))
      }
    })

    it('appends all or nothing, also where it is closed in the middle', async () => {
      const { store, follower } = await open()
      await append(store, [draft('"first"')])
      await follower.waitFor(1)
      const batch = range(1, 50).map((number) => draft(String(number)))
      const outcome = append(store, batch).then(
        (offsets) => offsets.length,
        () => 0,
      )
      await store.close()
      expect(follower.entries.length).toBe(1 + (await outcome))
    })
  })

  describe(`${name}: idempotent ids`, () => {
    it('give a second append the offset of the first, and the follower hears of it once', async () => {
      const { store, follower } = await open()
      expect(await append(store, [draft('1', { id: 'x', isIdempotent: true })])).toEqual([1])
      expect(await append(store, [draft('2', { id: 'x', isIdempotent: true })])).toEqual([1])
      expect(await append(store, [draft('3')])).toEqual([2])
      expect((await follower.waitFor(2)).map(({ body }) => body)).toEqual(['1', '3'])
    })

    it('count within one append, and beside others in it', async () => {
      const { store, follower } = await open()
      const x = draft('1', { id: 'x', isIdempotent: true })
      const y = draft('2', { id: 'y', isIdempotent: true })
      expect(await append(store, [x, y, x])).toEqual([1, 2, 1])
      expect(await append(store, [draft('3'), y, draft('4'), x])).toEqual([3, 2, 4, 1])
      expect((await follower.waitFor(4)).map(({ body }) => body)).toEqual(['1', '2', '3', '4'])
    })

    it('hold when many append the same at once', async () => {
      const { store, follower } = await open()
      const offsets = await Promise.all(
        range(1, 20).map(() => append(store, [draft('1', { id: 'x', isIdempotent: true })])),
      )
      expect(new Set(offsets.flat())).toEqual(new Set([1]))
      await append(store, [draft('"end"')])
      expect(await follower.waitFor(2)).toHaveLength(2)
    })

    it.each(['__proto__', 'constructor', 'toString'])('may be called %s', async (id) => {
      const { store } = await open()
      expect(await append(store, [draft('1', { id, isIdempotent: true })])).toEqual([1])
      expect(await append(store, [draft('1', { id, isIdempotent: true })])).toEqual([1])
    })

    it('are those that the poster gave, not those that the channel made', async () => {
      const { store } = await open()
      expect(await append(store, [draft('1', { id: 'x' }), draft('2', { id: 'x' })])).toEqual([1, 2])
    })

    it('are forgotten with their entry', async () => {
      const { store } = await open({ historyCountMax: 2 })
      const x = draft('1', { id: 'x', isIdempotent: true })
      await append(store, [x])
      await append(store, [draft('2'), draft('3')])
      await until(() => store.state().trimmedTo >= 1, 'the first entry is gone')
      expect(await append(store, [x])).toEqual([4])
    })

    it('are forgotten when their entry is too old', async () => {
      let now = 1_000_000
      const { store } = await open({ historyAgeMaxMs: 60_000, now: () => now })
      await append(store, [draft('1', { id: 'x', isIdempotent: true, postedAt: now })])
      now += 60_001
      expect(await append(store, [draft('1', { id: 'x', isIdempotent: true, postedAt: now })])).toEqual([2])
    })
  })

  describe(`${name}: reading`, () => {
    it('gives the entries after an offset, as they were appended', async () => {
      const { store, follower } = await open()
      await append(store, [draft('1'), draft('2', FULL), draft('3')])
      const entries = await follower.waitFor(3)
      expect(await store.read(0, 100, 1_000_000)).toEqual({ entries, isTrimmed: false })
      expect(await store.read(2, 100, 1_000_000)).toEqual({ entries: entries.slice(2), isTrimmed: false })
    })

    it('gives nothing at the head and beyond it', async () => {
      const { store } = await open()
      expect(await store.read(0, 10, 1000)).toEqual({ entries: [], isTrimmed: false })
      await append(store, [draft('1')])
      expect(await store.read(1, 10, 1000)).toEqual({ entries: [], isTrimmed: false })
      expect(await store.read(5, 10, 1000)).toEqual({ entries: [], isTrimmed: false })
    })

    it('gives no more than it is asked for, and at least one', async () => {
      const { store } = await open()
      const body = JSON.stringify('x'.repeat(10_000))
      await append(
        store,
        range(1, 10).map(() => draft(body)),
      )
      const byCount = await store.read(3, 2, 1_000_000)
      expect(byCount.entries.map(({ offset }) => offset)).toEqual([4, 5])
      const byBytes = await store.read(3, 100, 35_000)
      expect(byBytes.entries.length).toBeGreaterThanOrEqual(2)
      expect(byBytes.entries.length).toBeLessThanOrEqual(4)
      const atLeastOne = await store.read(3, 100, 1)
      expect(atLeastOne.entries.map(({ offset }) => offset)).toEqual([4])
    })

    it('reads the whole log in steps, without a gap', async () => {
      const { store } = await open()
      for (const number of range(1, 30)) await append(store, [draft(String(number * 2)), draft(String(number * 2 + 1))])
      const offsets: number[] = []
      for (let after = 0; ; after = offsets.at(-1) ?? 0) {
        const { entries } = await store.read(after, 7, 1_000_000)
        if (entries.length === 0) break
        offsets.push(...entries.map(({ offset }) => offset))
      }
      expect(offsets).toEqual(range(1, 60))
    })
  })

  describe(`${name}: history`, () => {
    it('is bounded in count: the newest stay, and reading before them says that they are gone', async () => {
      const { store } = await open({ historyCountMax: 5 })
      for (const number of range(1, 12)) await append(store, [draft(String(number))])
      await until(() => store.state().trimmedTo >= 7, 'all but five entries are gone')
      expect(store.state()).toMatchObject({ head: 12, trimmedTo: 7 })
      expect(await store.read(6, 100, 1_000_000)).toEqual({ entries: [], isTrimmed: true })
      const { entries, isTrimmed } = await store.read(7, 100, 1_000_000)
      expect([entries.map(({ offset }) => offset), isTrimmed]).toEqual([range(8, 12), false])
    })

    it('is bounded in bytes', async () => {
      const { store } = await open({ historyBytesMax: 50_000 })
      for (const _ of range(1, 20)) await append(store, [draft(JSON.stringify('x'.repeat(10_000)))])
      await until(() => store.state().trimmedTo >= 15, 'entries are gone until the rest fits')
      const { entries } = await store.read(store.state().trimmedTo, 100, 1_000_000)
      expect(entries.length).toBeGreaterThanOrEqual(2)
      expect(entries.at(-1)?.offset).toBe(20)
    })

    it('is bounded in age, also while nobody posts', async () => {
      let now = 1_000_000
      const { store } = await open({ historyAgeMaxMs: 60_000, now: () => now })
      await append(store, [draft('1', { postedAt: now })])
      now += 30_000
      await append(store, [draft('2', { postedAt: now })])
      now += 30_001
      await until(() => store.state().trimmedTo === 1, 'the older entry is gone')
      expect((await store.read(0, 10, 1000)).isTrimmed).toBe(true)
      expect((await store.read(1, 10, 1000)).entries.map(({ body }) => body)).toEqual(['2'])
      now += 30_000
      await until(() => store.state().trimmedTo === 2, 'the newer entry is gone too')
      expect(await append(store, [draft('3', { postedAt: now })])).toEqual([3])
    })

    it('of another store is of another epoch', async () => {
      const [one, other] = [await open(), await open()]
      expect(one.state.epoch).not.toBe(other.state.epoch)
    })
  })

  describe(`${name}: closing`, () => {
    it('may be asked for twice, and ends appending', async () => {
      const { store, follower } = await open()
      await append(store, [draft('1')])
      await follower.waitFor(1)
      await Promise.all([store.close(), store.close()])
      await store.close()
      await expect(append(store, [draft('2')])).rejects.toMatchObject({ code: 'channel_closed' })
      expect(follower.entries).toHaveLength(1)
      expect(follower.epochs).toEqual([])
    })
  })
}

/** @returns the offsets, once it is made sure that they are of the log's epoch */
export async function append(store: Store, drafts: readonly Draft[]): Promise<readonly number[]> {
  const { epoch, offsets, durability } = await store.append(drafts)
  expect(epoch).toBe(store.state().epoch)
  expect(LEVELS).toContain(durability)
  return offsets
}

const LEVELS = ['memory', 'logged', 'synced', 'replicated']

let drafts = 0

export function draft(body: string, more: Partial<Draft> = {}): Draft {
  const id = `draft-${++drafts}`
  const audience = { all: true } as const
  const texts = {
    id,
    sender: 'Test',
    body,
    bodyTypeName: undefined,
    channelType: undefined,
    sentBy: undefined,
    key: undefined,
    ...more,
  }
  return {
    isIdempotent: false,
    audience,
    intervalMs: undefined,
    postedAt: Date.now(),
    expiresAt: undefined,
    bytes: draftBytes(texts),
    ...texts,
  }
}

/** All that a draft can carry, with names that are hard to keep. */
export const FULL: Partial<Draft> = {
  sender: 'O\'Hara \\ "x" \n\u0000\u2028 日本 😀',
  bodyTypeName: '__proto__',
  channelType: 'constructor',
  sentBy: { User: "O'Hara \u0000 \u{1F600}", ConnectionId: 'c:1' },
  key: "__proto__ ' \u0000 {tag} %",
  intervalMs: 1500.5,
  audience: { users: ['__proto__', 'a.b*c>', ' {tag} %'], groups: ['user:7'], except: ['é'] },
  expiresAt: 4_000_000_000_000,
}
