import { expect, it } from 'vitest'
import { range } from './channel-scene.ts'
import { openSqlite } from './sqlite-scene.ts'
import { append, draft } from './store-contract.ts'

/** More than one transaction takes, so that the next one is sent before it is answered. */
const MANY = 700

it('what is appended while transactions are under way comes in its order, with no offset left out', async () => {
  const { store, follower } = await openSqlite()
  const appending: ReturnType<typeof append>[] = []
  for (const turn of range(0, 5)) {
    for (const number of range(1, MANY)) appending.push(append(store, [draft(String(turn * MANY + number))]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const appended = await Promise.all(appending)
  const expected = range(1, 6 * MANY)
  expect(appended.map(([offset]) => offset)).toEqual(expected)
  expect(follower.entries.map(({ body }) => Number(body))).toEqual(expected)
})

it('one id in two transactions that are under way at once is one entry', async () => {
  const { store, follower } = await openSqlite()
  const idempotent = (number: number) => draft(String(number), { id: `same-${number}`, isIdempotent: true })
  const numbers = range(1, MANY)
  const both = await Promise.all([...numbers, ...numbers].map((number) => append(store, [idempotent(number)])))
  expect(both.map(([offset]) => offset)).toEqual([...numbers, ...numbers])
  expect(follower.entries).toHaveLength(MANY)
})

it('what waits is taken before it is closed', async () => {
  const { store, follower } = await openSqlite()
  const appending = range(1, 3 * MANY).map((number) => append(store, [draft(String(number))]))
  await store.close()
  expect(await Promise.all(appending)).toHaveLength(3 * MANY)
  expect(follower.entries).toHaveLength(3 * MANY)
})
