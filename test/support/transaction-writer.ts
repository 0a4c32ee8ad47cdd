import type { Client } from 'pg'
import type { Transaction, TransactionChannel } from 'serverchannel'

export type Outcome = 'committed' | 'rolled back' | 'failed'

/** Runs it again: serialization failures, and deadlocks. */
const AGAIN = new Set(['40001', '40P01'])
const ISOLATIONS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']

/**
 * Writes transactions as applications do: some change rows that others change as well, some are rolled back, in part or as
 * a whole; each posts messages, and notes in the table `truth` what it posted, so that the database itself tells what came.
 */
export class TransactionWriter {
  readonly #client: Client
  readonly #in: (transaction: Transaction) => TransactionChannel
  #seed: number

  constructor(client: Client, toChannel: (transaction: Transaction) => TransactionChannel, seed: number) {
    this.#client = client
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
    const client = this.#client
    await client.query(`BEGIN ISOLATION LEVEL ${ISOLATIONS[this.#random(3)]}`)
    try {
      if (this.#random(4) === 0) await client.query('SET LOCAL synchronous_commit = off')
      await client.query('SELECT total FROM accounts WHERE id = $1', [1 + this.#random(20)])
      const parts = 1 + this.#random(3)
      for (let part = 0; part < parts; part++) {
        await this.#post(transaction, part)
        if (this.#random(3) === 0) {
          await client.query('UPDATE accounts SET total = total + 1 WHERE id = $1', [1 + this.#random(20)])
        }
        if (this.#random(4) === 0) {
          await client.query('SAVEPOINT undone')
          // Now and then the number is given at once, and lost.
          if (this.#random(10) === 0) await client.query('SET CONSTRAINTS ALL IMMEDIATE')
          await this.#post(transaction, 100 + part)
          await client.query('ROLLBACK TO undone')
        }
      }
      if (this.#random(6) === 0) {
        await client.query('ROLLBACK')
        return 'rolled back'
      }
      await client.query('COMMIT')
      return 'committed'
    } catch (error) {
      await client.query('ROLLBACK')
      if (AGAIN.has((error as { code?: string }).code ?? '')) return 'failed'
      throw error
    }
  }

  async #post(transaction: number, part: number): Promise<void> {
    const body = `${transaction}/${part}`
    await this.#client.query('INSERT INTO truth VALUES ($1, $2)', [transaction, body])
    if (this.#random(2) === 0) await this.#in(this.#client).postMessageToAll('Commit', body)
    else await this.#client.query('SELECT serverchannel.post_message_to_all($1, $2::text)', ['Commit', body])
  }

  /** A whole number below this one. */
  #random(below: number): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#seed / 4_294_967_296) * below)
  }
}
