import type { Connection, RowDataPacket } from 'mysql2/promise'
import type { Transaction, TransactionChannel } from 'serverchannel'

export type Outcome = 'committed' | 'rolled back' | 'failed'

/** When a transaction posted first and when its commit had returned, by the clock of this process. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Runs it again: deadlocks, lock waits that took too long, and snapshots that are too old. */
const AGAIN = new Set([1213, 1205, 1020])
const ISOLATIONS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']

/**
 * Writes transactions as applications do: some change rows that others change as well, some are rolled back, in part or as
 * a whole; each posts messages, and notes in the table `truth` what it posted, and in `changes` as the how-manieth it
 * changed an account.
 */
export class MysqlTransactionWriter {
  readonly spans: Map<number, Span> = new Map()
  readonly #connection: Connection
  readonly #in: (transaction: Transaction) => TransactionChannel
  #seed: number

  constructor(connection: Connection, toChannel: (transaction: Transaction) => TransactionChannel, seed: number) {
    this.#connection = connection
    this.#in = toChannel
    this.#seed = seed
  }

  async run(next: () => number | undefined): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    for (let transaction = next(); transaction !== undefined; transaction = next()) {
      for (;;) {
        const outcome = await this.#attempt(transaction)
        outcomes.push(outcome)
        if (outcome !== 'failed') break
      }
    }
    return outcomes
  }

  async #attempt(transaction: number): Promise<Outcome> {
    const connection = this.#connection
    await connection.query(`SET TRANSACTION ISOLATION LEVEL ${ISOLATIONS[this.#random(3)]}`)
    await connection.query('START TRANSACTION')
    try {
      await connection.query('SELECT total FROM accounts WHERE id = ?', [1 + this.#random(20)])
      // Whoever changes rows before and after posting is in for a deadlock now and then.
      if (this.#random(3) === 0) await this.#change(transaction)
      const from = performance.now()
      const parts = 1 + this.#random(3)
      for (let part = 0; part < parts; part++) {
        await this.#post(transaction, part)
        if (this.#random(4) === 0) await this.#change(transaction)
        if (this.#random(4) === 0) {
          await connection.query('SAVEPOINT undone')
          await this.#post(transaction, 100 + part)
          await connection.query('ROLLBACK TO SAVEPOINT undone')
        }
      }
      if (this.#random(6) === 0) {
        await connection.query('ROLLBACK')
        return 'rolled back'
      }
      await connection.query('COMMIT')
      this.spans.set(transaction, { from, to: performance.now() })
      return 'committed'
    } catch (error) {
      await connection.query('ROLLBACK')
      if (AGAIN.has((error as { errno?: number }).errno ?? 0)) return 'failed'
      throw error
    }
  }

  async #change(transaction: number): Promise<void> {
    const account = 1 + this.#random(20)
    await this.#connection.query('UPDATE accounts SET total = total + 1 WHERE id = ?', [account])
    const [rows] = await this.#connection.query<(RowDataPacket & { total: number })[]>(
      'SELECT total FROM accounts WHERE id = ?',
      [account],
    )
    await this.#connection.query('INSERT INTO changes VALUES (?, ?, ?)', [transaction, account, rows[0]?.total])
  }

  async #post(transaction: number, part: number): Promise<void> {
    const body = `${transaction}/${part}`
    await this.#connection.query('INSERT INTO truth VALUES (?, ?)', [transaction, part])
    const way = this.#random(3)
    if (way === 0) await this.#in(this.#connection).postMessageToAll('Commit', body)
    else if (way === 1) await this.#connection.query('CALL serverchannel_post_message_to_all(?, ?)', ['Commit', body])
    else {
      const insert = 'INSERT INTO serverchannel_outbox (sender, body) VALUES (?, JSON_QUOTE(?))'
      await this.#connection.query(insert, ['Commit', body])
    }
  }

  /** A whole number below this one. */
  #random(below: number): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#seed / 4_294_967_296) * below)
  }
}
