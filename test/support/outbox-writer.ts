import type { ServerChannel } from 'serverchannel'
import type { OutboxSession } from './outbox-contract.ts'

/** What a writer has to know of a database. */
export interface WriterDialect {
  /** Ways to begin a transaction. */
  readonly begins: readonly (readonly string[])[]
  post(sender: string, body: string): string
  /** Whether the transaction is to be run again: a deadlock, a serialization failure, a database that is busy. */
  isFailure(error: unknown): boolean
}

/** What a writer knows of a transaction that committed. */
export interface Committed {
  readonly transaction: number
  /** When its first post began, and when its commit returned; of one clock. */
  readonly postedAtMs: number
  readonly committedAtMs: number
}

export interface Written {
  readonly committed: Committed[]
  rolledBack: number
  failed: number
}

export const WRITER_TABLES: readonly string[] = [
  'CREATE TABLE truth (body VARCHAR(100))',
  'CREATE TABLE accounts (id INTEGER PRIMARY KEY, total INTEGER)',
  'CREATE TABLE changes (writer INTEGER, account INTEGER, total INTEGER)',
  ...Array.from({ length: 10 }, (_, n) => `INSERT INTO accounts VALUES (${n}, 0)`),
]

/**
 * Writes transactions as applications do: they count in rows that others count in as well, before they post and after, and
 * are rolled back in part or as a whole. Each notes what it posted, and what it counted, in tables of the database.
 */
export class OutboxWriter {
  readonly written: Written = { committed: [], rolledBack: 0, failed: 0 }
  readonly #session: OutboxSession
  readonly #channel: ServerChannel
  readonly #dialect: WriterDialect
  #seed: number

  constructor(session: OutboxSession, channel: ServerChannel, dialect: WriterDialect, seed: number) {
    this.#session = session
    this.#channel = channel
    this.#dialect = dialect
    this.#seed = seed
  }

  /** @param next the number of the next transaction; undefined: there is none */
  async run(next: () => number | undefined): Promise<void> {
    for (let transaction = next(); transaction !== undefined; transaction = next()) {
      while (!(await this.#attempt(transaction))) {
        this.written.failed++
        await new Promise((resolve) => setTimeout(resolve, this.#random(3)))
      }
    }
  }

  /** @returns false: it is to be run again */
  async #attempt(transaction: number): Promise<boolean> {
    const session = this.#session
    try {
      for (const statement of this.#pick(this.#dialect.begins)) await session.run(statement)
      let postedAtMs: number | undefined
      const parts = 1 + this.#random(3)
      for (let part = 0; part < parts; part++) {
        if (this.#random(3) === 0) await this.#count(transaction)
        postedAtMs ??= performance.now()
        await this.#post(`${transaction}/${part}`)
        if (this.#random(4) === 0) {
          await session.run('SAVEPOINT undone')
          await this.#post(`${transaction}/${100 + part}`)
          await this.#count(transaction)
          await session.run('ROLLBACK TO undone')
        }
        if (this.#random(3) === 0) await this.#count(transaction)
      }
      if (this.#random(6) === 0) {
        await session.run('ROLLBACK')
        this.written.rolledBack++
        return true
      }
      await session.run('COMMIT')
      this.written.committed.push({ transaction, postedAtMs: postedAtMs ?? 0, committedAtMs: performance.now() })
      return true
    } catch (error) {
      // It may have been rolled back already.
      await session.run('ROLLBACK').catch(() => {})
      if (this.#dialect.isFailure(error)) return false
      throw error
    }
  }

  async #post(body: string): Promise<void> {
    await this.#session.run(`INSERT INTO truth VALUES ('${body}')`)
    if (this.#random(2) === 0) await this.#channel.in(this.#session.transaction).postMessageToAll('Commit', body)
    else await this.#session.run(this.#dialect.post('Commit', JSON.stringify(body)))
  }

  async #count(transaction: number): Promise<void> {
    const account = this.#random(10)
    await this.#session.run(`UPDATE accounts SET total = total + 1 WHERE id = ${account}`)
    await this.#session.run(`INSERT INTO changes SELECT ${transaction}, id, total FROM accounts WHERE id = ${account}`)
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[this.#random(values.length)] as Value
  }

  /** A whole number below this one. */
  #random(below: number): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#seed / 4_294_967_296) * below)
  }
}

/** A change of a row that others change too. */
export interface Change {
  readonly writer: number
  readonly account: number
  readonly total: number
}

/**
 * What is wrong with the order in which messages came, if they are bodies of {@link OutboxWriter}: of two transactions that
 * counted in the same row, the one with the lower count committed first; and one that had committed when another began to
 * post came before it.
 */
export function faultsOfOrder(
  bodies: readonly string[],
  changes: readonly Change[],
  committed: readonly Committed[],
): readonly string[] {
  const faults: string[] = []
  const places = new Map<number, number>()
  let last: [number, number] = [-1, -1]
  for (const [place, body] of bodies.entries()) {
    const [transaction = Number.NaN, part = Number.NaN] = body.split('/').map(Number)
    if (transaction !== last[0] && places.has(transaction)) faults.push(`${body} is apart from its transaction`)
    if (transaction === last[0] && part <= last[1]) faults.push(`${body} comes after part ${last[1]}`)
    if (!places.has(transaction)) places.set(transaction, place)
    last = [transaction, part]
  }
  const placeOf = (transaction: number): number => places.get(transaction) ?? Number.NaN
  const inOrder = changes.toSorted((a, b) => a.account - b.account || a.total - b.total)
  for (const [index, change] of inOrder.entries()) {
    const before = inOrder[index - 1]
    if (before?.account !== change.account || placeOf(before.writer) <= placeOf(change.writer)) continue
    faults.push(`${change.writer} came before ${before.writer}, which counted in ${change.account} before it`)
  }
  let earliest = { transaction: -1, committedAtMs: Number.POSITIVE_INFINITY }
  for (const each of committed.toSorted((a, b) => placeOf(b.transaction) - placeOf(a.transaction))) {
    if (earliest.committedAtMs < each.postedAtMs) {
      faults.push(`${each.transaction} came before ${earliest.transaction}, which had committed before it posted`)
    }
    if (each.committedAtMs < earliest.committedAtMs) earliest = each
  }
  return faults
}
