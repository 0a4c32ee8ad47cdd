import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'
import { createServerChannel, type ServerChannel, type Transaction } from 'serverchannel'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { describePostgres } from '../support/postgres-scene.ts'
import { type Receiver, receive } from '../support/receiver.ts'

/** A transaction of one of the libraries, and what `channel.in` takes of it. */
interface Scope {
  readonly transaction: Transaction
  run(text: string): Promise<unknown>
}

type Transact = (pool: Pool, work: (scope: Scope) => Promise<void>) => Promise<void>

const libraries: readonly (readonly [string, Transact])[] = [
  ['Drizzle', withDrizzle],
  ['Kysely', withKysely],
]

async function withDrizzle(pool: Pool, work: (scope: Scope) => Promise<void>): Promise<void> {
  await drizzle(pool).transaction((tx) =>
    work({
      transaction: (...statement) => tx.execute(drizzleSql(...statement)),
      run: (text) => tx.execute(drizzleSql.raw(text)),
    }),
  )
}

async function withKysely(pool: Pool, work: (scope: Scope) => Promise<void>): Promise<void> {
  const database = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  await database.transaction().execute((trx) =>
    work({
      transaction: (...statement) => sql(...statement).execute(trx),
      run: (text) => sql.raw(text).execute(trx),
    }),
  )
}

describePostgres('posting in the transactions of other libraries', [], (postgres) => {
  let address = ''
  beforeEach(async () => {
    address = await postgres().createDatabase()
  })

  async function open(): Promise<{ channel: ServerChannel; receiver: Receiver; pool: Pool }> {
    const channel = await createServerChannel({ development: true, store: address })
    onTestFinished(() => channel.close())
    const { url } = await channel.listen()
    const receiver = await receive(`${url}/msg`)
    onTestFinished(() => receiver.close())
    const pool = new Pool({ connectionString: address })
    onTestFinished(() => pool.end())
    await pool.query('CREATE TABLE orders (id integer PRIMARY KEY, state text)')
    return { channel, receiver, pool }
  }

  describe.each(libraries)('%s', (_name, transact) => {
    it('delivers what commits, with the data that it tells of, and nothing of what does not', async () => {
      const { channel, receiver, pool } = await open()
      const undone = transact(pool, async ({ transaction, run }) => {
        await run("INSERT INTO orders VALUES (41, 'new')")
        await channel.in(transaction).postMessageToAll('Undone', { id: 41 })
        throw new Error('The order can not be paid')
      })
      await expect(undone).rejects.toThrow('The order can not be paid')
      let id = ''
      await transact(pool, async ({ transaction, run }) => {
        await run("INSERT INTO orders VALUES (42, 'paid')")
        const receipt = await channel
          .in(transaction)
          .postMessageToAll('Done', { id: 42, text: "O'é 😀 $1 ?", list: [1, null] })
        id = receipt.id
      })
      await channel.postMessageToAll('End')
      const messages = await receiver.take(2)
      expect(messages.map(({ Header, Body }) => [Header.Sender, Body])).toEqual([
        ['Done', { id: 42, text: "O'é 😀 $1 ?", list: [1, null] }],
        ['End', null],
      ])
      expect(messages[0]?.Id).toBe(id)
      expect((await pool.query('SELECT id FROM orders')).rows).toEqual([{ id: 42 }])
    })

    it('passes on what the database says is wrong', async () => {
      const { channel, pool } = await open()
      await pool.query('DROP SCHEMA serverchannel CASCADE')
      const outcome = transact(pool, async ({ transaction }) => {
        await channel.in(transaction).postMessageToAll('Lost')
      })
      await expect(outcome).rejects.toThrow(/npx serverchannel outbox install/)
    })
  })
})
