import { statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { openStore } from '../src/stores/open-store.ts'
import { range } from './channel-scene.ts'
import { openSqlite, temporaryFile } from './sqlite-scene.ts'
import { append, draft, UNBOUNDED } from './store-contract.ts'
import { until } from './until.ts'

const sizeOf = (file: string): number =>
  statSync(file).size + (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0)
const KIBIBYTE = JSON.stringify('x'.repeat(1000))

describe('an SQLite log', () => {
  it('does not grow for ever: what history lets go of makes room for what comes', { timeout: 60_000 }, async () => {
    const file = temporaryFile()
    const { store } = await openSqlite({ file, historyCountMax: 1000 })
    const sizes: number[] = []
    for (const _ of range(1, 30)) {
      await Promise.all(range(1, 1000).map(() => append(store, [draft(KIBIBYTE)])))
      sizes.push(sizeOf(file))
    }
    // 30 MB went through it.
    expect(store.state()).toMatchObject({ head: 30_000, trimmedTo: 29_000 })
    expect(Math.max(...sizes)).toBeLessThan(24_000_000)
    expect(statSync(file).size).toBeLessThan(8_000_000)
  })

  it('shrinks when much of it is gone', { timeout: 60_000 }, async () => {
    let now = 1_000_000
    const file = temporaryFile()
    const { store } = await openSqlite({ file, historyAgeMaxMs: 60_000, now: () => now })
    for (const _ of range(1, 10))
      await append(
        store,
        range(1, 1000).map(() => draft(KIBIBYTE, { postedAt: now })),
      )
    await store.close()
    expect(statSync(file).size).toBeGreaterThan(10_000_000)
    const again = await openSqlite({ file, historyAgeMaxMs: 60_000, now: () => now })
    now += 60_001
    await until(() => again.store.state().trimmedTo === 10_000, 'all of it is too old', 20_000)
    await expect.poll(() => statSync(file).size, { timeout: 20_000 }).toBeLessThan(4_000_000)
  })

  it('refuses what is more than may wait, and takes posts again after that', async () => {
    const { store } = await openSqlite({ storeWaitingBytesMax: 100_000 })
    const outcomes = await Promise.allSettled(range(1, 500).map(() => append(store, [draft(KIBIBYTE)])))
    const refused = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused.length).toBeGreaterThan(300)
    for (const { reason } of refused) {
      expect(reason).toMatchObject({
        code: 'store_failed',
        retry: true,
        message: expect.stringContaining('storeWaitingBytesMax'),
      })
    }
    // One that is larger than all of it goes alone.
    expect(await append(store, [draft(JSON.stringify('x'.repeat(200_000)))])).toEqual([500 - refused.length + 1])
  })

  it.each(['end before', 'end after'])('is opened again where its thread ends (%s)', async (text) => {
    const program = new URL('ending-worker.mjs', import.meta.url)
    const { store, state, follower, warnings } = await openSqlite({ program })
    await append(store, [draft('1')])
    await expect(store.append([draft(JSON.stringify(text))])).rejects.toMatchObject({ code: 'store_failed' })
    expect(store.trouble).toContain('thread')
    await until(() => store.trouble === undefined, 'another thread has it open', 15_000)
    await append(store, [draft('3')])
    // What was appended and not acknowledged is there once, and the follower knows it.
    const expected = text === 'end after' ? ['1', JSON.stringify(text), '3'] : ['1', '3']
    expect(follower.entries.map(({ body }) => body)).toEqual(expected)
    expect((await store.read(0, 10, 1e6)).entries.map(({ body }) => body)).toEqual(expected)
    expect(store.state().epoch).toBe(state.epoch)
    expect(follower.epochs).toEqual([])
    expect(warnings).toHaveLength(2)
  })

  it.each(['sqlite:', 'sqlite::memory:', 'sqlite'])('has no address %s', async (address) => {
    const bounds = { ...UNBOUNDED, storeWaitingBytesMax: 1e6, durability: undefined, onWarning: () => {} }
    await expect(openStore(address, bounds)).rejects.toThrow(TypeError)
  })
})
