import {
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../src/stores/sqlite-database.ts'
import { range } from './channel-scene.ts'
import { createSqlite, openSqlite, temporaryFile } from './sqlite-scene.ts'
import { append, draft, Follower, FULL } from './store-contract.ts'
import { until } from './until.ts'

/** Bodies that can be found in the file. */
const marked = (number: number): string => JSON.stringify(`marked-${number}-${'x'.repeat(200)}`)

/** A log of some entries in a file, closed. */
async function writeLog(count = 50, options = {}): Promise<{ file: string; epoch: string }> {
  const file = temporaryFile()
  const { store, state } = await openSqlite({ file, ...options })
  for (const number of range(1, count)) await append(store, [draft(marked(number))])
  await store.close()
  return { file, epoch: state.epoch }
}

/** Changes bytes of the file where the text stands. */
function spoil(file: string, text: string): void {
  const bytes = readFileSync(file)
  const at = bytes.indexOf(text)
  expect(at).toBeGreaterThan(0)
  bytes.write('XXXX', at)
  writeFileSync(file, bytes)
}

/** Changes what the row of the log says about its last life. */
async function alterLog(file: string, change: string): Promise<void> {
  const database = await openDatabase(file)
  database.exec(`UPDATE log SET ${change}`)
  database.close()
}

const asideOf = (file: string): string[] => readdirSync(dirname(file)).filter((name) => /\.damaged-[^-]+$/.test(name))

describe('an SQLite log that is opened again', () => {
  it.each(['logged', 'synced'] as const)('goes on in the same epoch, with all it had, %s', async (durability) => {
    const { file, epoch } = await writeLog(5, { durability })
    const { store, state, warnings } = await openSqlite({ file, durability })
    expect(state).toEqual({ epoch, head: 5, trimmedTo: 0 })
    expect((await store.read(0, 10, 1e6)).entries.map(({ body }) => body)).toEqual(range(1, 5).map(marked))
    expect(await append(store, [draft('6')])).toEqual([6])
    expect(warnings).toEqual([])
  })

  it('knows ids from before, and every part of an entry', async () => {
    const file = temporaryFile()
    const one = await openSqlite({ file })
    const whole = draft('"text"', { ...FULL, id: 'a\u0000b\ud800', isIdempotent: true, postedAt: 1_700_000_000_000.5 })
    await append(one.store, [whole])
    await one.store.close()
    const { store } = await openSqlite({ file, historyAgeMaxMs: 1e15 })
    expect(await append(store, [whole, draft('2', { id: 'a\u0000b\ud801', isIdempotent: true })])).toEqual([1, 2])
    expect((await store.read(0, 1, 1e6)).entries).toEqual([{ ...whole, offset: 1 }])
  })

  it('remembers where it was when nothing is left of it', async () => {
    const file = temporaryFile()
    const one = await openSqlite({ file, historyCountMax: 0 })
    for (const number of range(1, 600)) await append(one.store, [draft(String(number))])
    await one.store.close()
    const { store, state } = await openSqlite({ file, historyCountMax: 0 })
    expect(state).toMatchObject({ epoch: one.state.epoch, head: 600 })
    expect(store.state().trimmedTo).toBe(600)
    expect(await append(store, [draft('601')])).toEqual([601])
  })

  it('trims to smaller bounds at once', async () => {
    const { file } = await writeLog(50)
    const { store } = await openSqlite({ file, historyCountMax: 10 })
    await until(() => store.state().trimmedTo === 40, 'what is too much is gone')
    expect(await store.read(39, 10, 1e6)).toEqual({ entries: [], isTrimmed: true })
    expect((await store.read(40, 100, 1e6)).entries).toHaveLength(10)
  })
})

describe('the epoch of an SQLite log', () => {
  it('changes where the machine went down while it was open at the level logged, and its entries stay', async () => {
    const { file, epoch } = await writeLog(5)
    await alterLog(file, "is_closed = 0, machine_life = 'another'")
    const { state, store, warnings } = await openSqlite({ file })
    expect(state.epoch).not.toBe(epoch)
    expect(state.head).toBe(5)
    expect(warnings.join()).toContain('went down')
    expect((await store.read(0, 10, 1e6)).entries).toHaveLength(5)
  })

  it.each(['is_closed = 1', "is_closed = 0, durability = 'synced'"])('stays where it did with %s', async (how) => {
    const { file, epoch } = await writeLog(5)
    await alterLog(file, `${how}, machine_life = 'another'`)
    expect((await openSqlite({ file })).state.epoch).toBe(epoch)
  })

  it('changes where the file is a copy: a backup knows nothing of what came after it', async () => {
    const { file, epoch } = await writeLog(5)
    copyFileSync(file, `${file}.backup`)
    const later = await openSqlite({ file })
    expect(later.state.epoch).toBe(epoch)
    await append(later.store, [draft('6')])
    await later.store.close()
    renameSync(`${file}.backup`, file)
    const { state, warnings } = await openSqlite({ file })
    expect(state.epoch).not.toBe(epoch)
    expect(warnings.join()).toContain('copy')
  })
})

describe('an SQLite log that is damaged', () => {
  it.each([
    ['in an entry', (file: string) => spoil(file, 'marked-25-')],
    ['in its first page', (file: string) => writeSync(openSync(file, 'r+'), Buffer.alloc(4096), 0, 4096, 0)],
    ['in a page between', (file: string) => writeSync(openSync(file, 'r+'), Buffer.alloc(4096, 7), 0, 4096, 4096 * 6)],
    ['in its length', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 4096 * 4))],
  ])('%s is kept aside when it is opened, and a new one begins', async (_, damage) => {
    const { file, epoch } = await writeLog(50)
    expect(statSync(file).size).toBeGreaterThan(4096 * 8)
    damage(file)
    const { state, store, warnings } = await openSqlite({ file })
    expect(state).toEqual({ epoch: expect.not.stringMatching(epoch), head: 0, trimmedTo: 0 })
    expect(asideOf(file)).toHaveLength(1)
    expect(warnings.join()).toContain('.damaged-')
    expect(await append(store, [draft('1')])).toEqual([1])
  })

  it.each(["text = replace(text, 'marked', 'forged') WHERE offset = 7", 'offset = 70 WHERE offset = 7'])(
    'in its rows (%s) is noticed too',
    async (change) => {
      const { file, epoch } = await writeLog(50)
      const database = await openDatabase(file)
      database.exec(`UPDATE entries SET ${change}`)
      database.close()
      expect((await openSqlite({ file })).state.epoch).not.toBe(epoch)
      expect(asideOf(file)).toHaveLength(1)
    },
  )

  it('while it is open is never served: the epoch changes, and the log goes on', async () => {
    const { file, epoch } = await writeLog(3000)
    const { store, follower, warnings } = await openSqlite({ file })
    // Far from what is in the cache of pages since it was opened.
    spoil(file, 'marked-1500-')
    const reading = range(0, 2999).map((after) => store.read(after, 1, 1e6).catch(() => undefined))
    for (const read of await Promise.all(reading)) {
      for (const { body } of read?.entries ?? []) expect(body).not.toContain('XXXX')
    }
    if (follower.epochs.length === 0) {
      expect((await store.read(1499, 1, 1e6)).entries[0]?.body).toBe(marked(1500))
      return
    }
    expect(follower.epochs[0]?.epoch).not.toBe(epoch)
    expect(warnings.join()).toContain('.damaged-')
    expect(await append(store, [draft('1')])).toEqual([1])
  })
})

describe('a file that is not for an SQLite log', () => {
  it('is refused while another store has it open, and had again after that', async () => {
    const file = temporaryFile()
    const { store, state } = await openSqlite({ file })
    await append(store, [draft('1')])
    const second = createSqlite({ file })
    await expect(second.open(new Follower())).rejects.toMatchObject({ code: 'store_failed', message: /has .* open/ })
    expect(await append(store, [draft('2')])).toEqual([2])
    await store.close()
    expect((await openSqlite({ file })).state).toEqual({ ...state, head: 2 })
  })

  it.each([
    [
      'the database of something else',
      async (file: string) => {
        const database = await openDatabase(file)
        database.exec('CREATE TABLE orders (id INTEGER)')
        database.close()
      },
    ],
    ['no database', (file: string) => writeFileSync(file, '{"name":"not a database"}'.repeat(100))],
    [
      'a log of another version',
      async (file: string) => {
        await (await openSqlite({ file })).store.close()
        const database = await openDatabase(file)
        database.exec('PRAGMA user_version = 99')
        database.close()
      },
    ],
  ])('is refused and left as it is: %s', async (_, make) => {
    const file = temporaryFile()
    await Promise.resolve(make(file))
    const before = readFileSync(file)
    const store = createSqlite({ file })
    await expect(store.open(new Follower())).rejects.toThrow(TypeError)
    expect(readFileSync(file)).toEqual(before)
    expect(asideOf(file)).toEqual([])
  })

  it('is made with its folders where there is none', async () => {
    const file = `${dirname(temporaryFile())}/a/b/messages.db`
    await openSqlite({ file })
    expect(existsSync(file)).toBe(true)
  })
})
