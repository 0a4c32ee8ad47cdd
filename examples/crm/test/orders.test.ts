import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../src/database.ts'
import { Orders } from '../src/orders.ts'

const opened: Database[] = []
const folders: string[] = []

async function open(file = ':memory:'): Promise<Database> {
  const database = await openDatabase(file)
  opened.push(database)
  return database
}

afterEach(async () => {
  for (const database of opened.splice(0)) database.close()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

describe('the database', () => {
  test('undoes a transaction that throws, whole', async () => {
    const database = await open()
    database.exec('CREATE TABLE words (word TEXT)')
    const change = (): void => {
      database.run('INSERT INTO words VALUES (?)', 'never')
      throw new Error('no')
    }
    expect(() => database.transaction(change)).toThrow('no')
    expect(database.all('SELECT word FROM words')).toEqual([])
  })

  test('keeps orders in its file, and puts the first ones there only once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'serverchannel-crm-'))
    folders.push(folder)
    const first = await open(join(folder, 'orders.db'))
    new Orders(first).approve(42, 'boris')
    first.close()
    const orders = new Orders(await open(join(folder, 'orders.db')))
    expect(orders.get(42)).toMatchObject({ status: 'Approved', approvedBy: 'boris' })
    expect(orders.list()).toHaveLength(6)
  })
})

describe('orders', () => {
  test('change their total by recalculation only', async () => {
    const orders = new Orders(await open())
    const before = orders.get(41).totalCents
    expect(orders.setQuantity(41, 1, 5).totalCents).toBe(before)
    expect(orders.recalculate()).toEqual([41, 42, 43, 44, 45, 46])
    expect(orders.get(41).totalCents).toBe(before + 32_500)
  })

  test('are left alone by recalculation once they are approved', async () => {
    const orders = new Orders(await open())
    const { totalCents } = orders.approve(43, 'anna')
    expect(orders.recalculate()).toEqual([41, 42, 44, 45, 46])
    expect(orders.get(43).totalCents).toBe(totalCents)
  })

  test('say what is wrong with a change', async () => {
    const orders = new Orders(await open())
    expect(() => orders.get(7)).toThrow(expect.objectContaining({ status: 404 }))
    expect(() => orders.setQuantity(41, 9, 1)).toThrow(expect.objectContaining({ status: 404 }))
    expect(() => orders.setQuantity(41, 1, 1.5)).toThrow(expect.objectContaining({ status: 400 }))
    orders.approve(41, 'anna')
    expect(() => orders.approve(41, 'boris')).toThrow(expect.objectContaining({ status: 409 }))
    expect(orders.reopen(41)).toMatchObject({ status: 'Draft', approvedBy: null })
  })
})
