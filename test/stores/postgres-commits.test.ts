import { Client } from 'pg'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../../packages/server/test/until.ts'
import { describePostgres } from '../support/postgres-scene.ts'
import { receive } from '../support/receiver.ts'
import { type Outcome, TransactionWriter } from '../support/transaction-writer.ts'

/** `TRANSACTIONS=50000 npx vitest run test/stores/postgres-commits.test.ts`; else as many as fit the time. */
const wanted = Number(process.env['TRANSACTIONS'] ?? 0)
const MS_MAX = wanted > 0 ? 3_600_000 : 15_000
const WRITERS = 8

/** Where the order that PostgreSQL itself wrote down is asked for. What a commit costs is no matter here. */
const SETTINGS = ['track_commit_timestamp = on', 'fsync = off']

describePostgres('eight writers with rollbacks, savepoints and serialization failures', SETTINGS, (postgres) => {
  let database = ''
  beforeEach(async () => {
    database = await postgres().createDatabase()
    await postgres().query(
      `CREATE TABLE truth (transaction integer, part text);
       CREATE TABLE accounts (id integer PRIMARY KEY, total integer);
       INSERT INTO accounts SELECT n, 0 FROM generate_series(1, 20) n`,
      database,
    )
  })

  async function connect(): Promise<Client> {
    const client = new Client({ connectionString: database })
    await client.connect()
    onTestFinished(() => client.end())
    return client
  }

  async function open(options: object): Promise<{ channel: ServerChannel; heard: () => readonly string[] }> {
    const channel = await createServerChannel({ development: true, historyCountMax: 1_000_000, ...options })
    onTestFinished(() => channel.close())
    const { url } = await channel.listen()
    const receiver = await receive(`${url}/msg`)
    onTestFinished(() => receiver.close())
    const heard: string[] = []
    void (async () => {
      for (;;) for (const { Body } of await receiver.take(1)) heard.push(String(Body))
    })()
    return { channel, heard: () => heard }
  }

  /** Parts of all transactions that were committed, by the time that PostgreSQL wrote into each commit. */
  async function committed(): Promise<readonly string[]> {
    const rows = await postgres().query<{ part: string }>(
      `SELECT part FROM truth ORDER BY pg_xact_commit_timestamp(xmin), transaction, split_part(part, '/', 2)::integer`,
      database,
    )
    return rows.map(({ part }) => part)
  }

  describe.each([
    ['to a log in the same database', 1, () => [{ store: database }, { store: database }]],
    [
      'to another log, with two relays',
      2,
      () => {
        const options = { store: `${database}?channel=log`, outbox: `${database}?channel=main` }
        return [options, options]
      },
    ],
  ] as const)('%s', (name, seed, options) => {
    it('deliver what is committed, all of it, once, in the order of the commits', {
      timeout: MS_MAX + 120_000,
    }, async () => {
      const nodes = await Promise.all(options().map((each) => open(each)))
      const [node] = nodes
      const posting: ServerChannel['in'] = (transaction) => {
        if (!node) throw new Error('There is no node.')
        return node.channel.in(transaction)
      }
      const end = performance.now() + MS_MAX
      let begun = 0
      const next = (): number | undefined =>
        performance.now() < end && (wanted === 0 || begun < wanted) ? begun++ : undefined
      const writers = await Promise.all(
        Array.from({ length: WRITERS }, async (_, index) => {
          return new TransactionWriter(await connect(), posting, seed * 100 + index)
        }),
      )
      const outcomes: Outcome[] = (await Promise.all(writers.map((writer) => writer.run(next)))).flat()
      const count = (outcome: Outcome): number => outcomes.filter((each) => each === outcome).length
      const truth = await committed()
      for (const { heard } of nodes) {
        await until(() => heard().length >= truth.length, `${truth.length} messages have come`, 60_000)
        expect(heard()).toEqual(truth)
      }
      console.log(
        `${name}: ${begun} transactions, ${count('committed')} committed, ${count('rolled back')} rolled back, ${count('failed')} tries failed and were run again, ${truth.length} messages`,
      )
      expect(count('committed')).toBeGreaterThan(100)
      expect(count('rolled back')).toBeGreaterThan(10)
      expect(count('failed')).toBeGreaterThan(0)
      if (wanted > 0) expect(begun).toBe(wanted)
    })
  })
})
