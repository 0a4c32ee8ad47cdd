import { createServerChannel } from 'serverchannel'
import { expect, it, onTestFinished, vi } from 'vitest'
import { type OutboxDialect, takeBodies } from './outbox-contract.ts'
import { type Change, faultsOfOrder, OutboxWriter, WRITER_TABLES, type WriterDialect } from './outbox-writer.ts'

/** `TRANSACTIONS=50000 npx vitest run test/stores/mariadb-commits.test.ts`; else as many as fit the time. */
const wanted = Number(process.env['TRANSACTIONS'] ?? 0)
const MS_MAX = wanted > 0 ? 3_600_000 : 8000
const WRITERS = 8

/** The log that relays bring messages into: one in memory, unless several nodes share another. */
interface CommitsLog {
  readonly nodes: number
  openStore(): Promise<string>
}

const OWN_LOG: CommitsLog = { nodes: 1, openStore: () => Promise.resolve('memory:') }

/** What is delivered is what was committed: all of it, once, in an order that agrees with that of the commits. */
export function itDeliversCommits(
  name: string,
  dialect: () => OutboxDialect & WriterDialect,
  seed: number,
  log: CommitsLog = OWN_LOG,
): void {
  it(`delivers what eight writers commit, all of it, once, in the order of the commits: ${name}`, {
    timeout: MS_MAX + 60_000,
  }, async () => {
    const address = await dialect().createDatabase()
    const options = { development: true, outbox: address, historyCountMax: 1_000_000, store: await log.openStore() }
    const channel = await createServerChannel(options)
    onTestFinished(() => channel.close())
    for (let node = 1; node < log.nodes; node++) {
      const other = await createServerChannel(options)
      onTestFinished(() => other.close())
    }
    const session = await dialect().connect(address)
    onTestFinished(() => session.close())
    // Statements that wait for nobody may meet the relay's.
    const tried = <Answer>(run: () => Promise<Answer>): Promise<Answer> => vi.waitFor(run, { timeout: 5000 })
    for (const statement of WRITER_TABLES) await tried(() => session.run(statement))
    const end = performance.now() + MS_MAX
    let begun = 0
    const next = (): number | undefined =>
      performance.now() < end && (wanted === 0 || begun < wanted) ? begun++ : undefined
    const writers = await Promise.all(
      Array.from({ length: WRITERS }, async (_, index) => {
        const own = await dialect().connect(address)
        onTestFinished(() => own.close())
        return new OutboxWriter(own, channel, dialect(), seed * 100 + index)
      }),
    )
    await Promise.all(writers.map((writer) => writer.run(next)))
    const truth = (await tried(() => session.rows('SELECT body FROM truth'))) as { readonly body: string }[]
    const changes = (await tried(() => session.rows('SELECT writer, account, total FROM changes'))) as Change[]
    const bodies = (await takeBodies(channel, truth.length)).map(String)
    const committed = writers.flatMap(({ written }) => written.committed)
    const sum = (of: 'rolledBack' | 'failed'): number => writers.reduce((total, { written }) => total + written[of], 0)
    console.log(
      `${name}: ${begun} transactions, ${committed.length} committed, ${sum('rolledBack')} rolled back, ${sum('failed')} tries failed and were run again, ${bodies.length} messages`,
    )
    expect(bodies.toSorted()).toEqual(truth.map(({ body }) => body).sort())
    expect(faultsOfOrder(bodies, changes, committed)).toEqual([])
    expect(await tried(() => session.rows('SELECT * FROM serverchannel_refused'))).toEqual([])
    expect(committed.length).toBeGreaterThan(100)
    expect(sum('rolledBack')).toBeGreaterThan(10)
    expect(sum('failed')).toBeGreaterThan(0)
    if (wanted > 0) expect(begun).toBe(wanted)
  })
}
