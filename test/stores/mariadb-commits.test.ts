import { type Connection, createConnection } from 'mysql2/promise'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { until } from '../../packages/server/test/until.ts'
import { describeMariadb } from '../support/mariadb-scene.ts'
import { MysqlTransactionWriter, type Outcome, type Span } from '../support/mysql-transaction-writer.ts'
import { hasPostgres, PostgresProcess } from '../support/postgres-process.ts'
import { receive } from '../support/receiver.ts'

/** `TRANSACTIONS=50000 npx vitest run test/stores/mariadb-commits.test.ts`; else as many as fit the time. */
const wanted = Number(process.env['TRANSACTIONS'] ?? 0)
const MS_MAX = wanted > 0 ? 3_600_000 : 10_000
const WRITERS = 8

/** What a commit costs is no matter here. */
const SETTINGS = ['--innodb-flush-log-at-trx-commit=0']

describeMariadb('eight writers with rollbacks, savepoints and deadlocks', SETTINGS, (mariadb) => {
  let database = ''
  beforeEach(async () => {
    database = await mariadb().createDatabase()
    for (const statement of [
      'CREATE TABLE truth (transaction INTEGER, part INTEGER)',
      'CREATE TABLE changes (transaction INTEGER, account INTEGER, version INTEGER)',
      'CREATE TABLE accounts (id INTEGER PRIMARY KEY, total INTEGER)',
      'INSERT INTO accounts SELECT seq, 0 FROM seq_1_to_20',
    ]) {
      await mariadb().query(statement, database)
    }
  })

  async function connect(): Promise<Connection> {
    const connection = await createConnection({ uri: database })
    onTestFinished(() => connection.end())
    return connection
  }

  async function open(options: object): Promise<{ channel: ServerChannel; heard: () => readonly string[] }> {
    const channel = await createServerChannel({
      development: true,
      historyCountMax: 1_000_000,
      outbox: database,
      ...options,
    })
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

  it('deliver what is committed, all of it, once, in the order of the commits', {
    timeout: MS_MAX + 120_000,
  }, async () => {
    const node = await open({ store: 'memory:' })
    await writeAndJudge('to a log in memory', 1, [node])
  })

  it.skipIf(!hasPostgres)(
    'deliver it so to a log in PostgreSQL, with two relays',
    {
      timeout: MS_MAX + 120_000,
    },
    async () => {
      const postgres = await PostgresProcess.start(['fsync = off'])
      onTestFinished(() => postgres.close())
      const store = await postgres.createDatabase()
      await writeAndJudge('with two relays', 2, [await open({ store }), await open({ store })])
    },
  )

  async function writeAndJudge(name: string, seed: number, nodes: Awaited<ReturnType<typeof open>>[]): Promise<void> {
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
        return new MysqlTransactionWriter(await connect(), posting, seed * 100 + index)
      }),
    )
    const outcomes: Outcome[] = (await Promise.all(writers.map((writer) => writer.run(next)))).flat()
    const count = (outcome: Outcome): number => outcomes.filter((each) => each === outcome).length
    const truth = await mariadb().query<{ transaction: number; part: number }>(
      'SELECT transaction, part FROM truth ORDER BY transaction, part',
      database,
    )
    for (const { heard } of nodes) {
      await until(() => heard().length >= truth.length, `${truth.length} messages have come`, 60_000)
    }
    const [first = [], ...others] = nodes.map(({ heard }) => heard())
    expect(first.toSorted()).toEqual(truth.map(({ transaction, part }) => `${transaction}/${part}`).sort())
    for (const other of others) expect(other).toEqual(first)
    judgeOrder(first, new Map(writers.flatMap(({ spans }) => [...spans])))
    await judgeChanges(first)
    console.log(
      `${name}: ${begun} transactions, ${count('committed')} committed, ${count('rolled back')} rolled back, ${count('failed')} tries failed and were run again, ${truth.length} messages`,
    )
    expect(count('committed')).toBeGreaterThan(100)
    expect(count('rolled back')).toBeGreaterThan(10)
    expect(count('failed')).toBeGreaterThan(0)
    if (wanted > 0) expect(begun).toBe(wanted)
  }

  /** A transaction's messages stand together and in their order; none stands before one that had ended before it began. */
  function judgeOrder(heard: readonly string[], spans: ReadonlyMap<number, Span>): void {
    const order = transactionsOf(heard)
    expect(new Set(order).size).toBe(order.length)
    let latest = 0
    for (const transaction of order) {
      const span = spans.get(transaction)
      if (!span) throw new Error(`Transaction ${transaction} was delivered and not committed`)
      if (span.to < latest) throw new Error(`Transaction ${transaction} stands behind one that began when it had ended`)
      latest = Math.max(latest, span.from)
    }
    let [before, partBefore] = [-1, -1]
    for (const message of heard) {
      const [transaction = -1, part = -1] = message.split('/').map(Number)
      if (transaction === before) expect(part).toBeGreaterThan(partBefore)
      before = transaction
      partBefore = part
    }
  }

  /** Who changed an account later is delivered later. */
  async function judgeChanges(heard: readonly string[]): Promise<void> {
    const place = new Map(transactionsOf(heard).map((transaction, index) => [transaction, index]))
    const changes = await mariadb().query<{ transaction: number; account: number }>(
      'SELECT transaction, account FROM changes ORDER BY account, version',
      database,
    )
    expect(changes.length).toBeGreaterThan(100)
    let before: { account: number; place: number } | undefined
    for (const { transaction, account } of changes) {
      const its = place.get(transaction) ?? -1
      if (before?.account === account && its < before.place) {
        throw new Error(`Transaction ${transaction} changed account ${account} later, and was delivered sooner`)
      }
      before = { account, place: its }
    }
  }
})

/** Each once, where its messages stand together. */
function transactionsOf(heard: readonly string[]): number[] {
  const all = heard.map((message) => Number(message.split('/')[0]))
  return all.filter((transaction, index) => transaction !== all[index - 1])
}
