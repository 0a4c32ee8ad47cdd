import { ChannelError } from '../channel/channel-error.ts'
import { NO_SUCH_TABLE, requireAddress } from './mysql-client.ts'
import { MysqlOutboxSource } from './mysql-source.ts'
import type { Outbox, OutboxSource, OutboxWriter, QueryTransaction, Transaction } from './outbox.ts'
import { INSERT_ROW, type ReadPost, rowValues } from './outbox-row.ts'
import { findInCauses, runQuery } from './run-query.ts'

/** Posting in transactions of MySQL and MariaDB: the tables of `sql/mysql/` are in the application's database. */
export class MysqlOutbox implements Outbox {
  readonly #source: MysqlOutboxSource

  constructor(address: string, readPost: ReadPost, onWarning: (reason: string) => void) {
    requireAddress(address)
    this.#source = new MysqlOutboxSource({ address, readPost, onWarning })
  }

  get source(): OutboxSource {
    return this.#source
  }

  writerIn(transaction: Transaction): OutboxWriter {
    if (!('query' in transaction) || typeof transaction.query !== 'function') {
      throw new TypeError(
        "The transaction needs a method 'query(text, params)', as a connection of 'mysql2/promise' has it.",
      )
    }
    const statements = preparing(transaction)
    return {
      isSynchronous: false,
      write: async (draft) => {
        await runQuery(statements, INSERT_ROW, rowValues(draft)).catch(explain)
        this.#source.soon()
      },
    }
  }
}

/** `query` writes texts into the statement, and escapes them for one mode of the session; `execute` sends them beside it. */
function preparing(transaction: QueryTransaction): QueryTransaction {
  if (!('execute' in transaction) || typeof transaction.execute !== 'function') return transaction
  const { execute } = transaction as { readonly execute: QueryTransaction['query'] }
  return { query: (text, params) => execute.call(transaction, text, params) }
}

function explain(cause: unknown): never {
  const isMissing = findInCauses(cause, (error) => {
    const { errno, message } = error as { readonly errno?: unknown; readonly message?: unknown }
    return errno === NO_SUCH_TABLE && String(message).includes('serverchannel_outbox') ? true : undefined
  })
  if (!isMissing) throw cause
  const message = 'The database has no table to post to. Make it: npx serverchannel outbox install URL'
  throw new ChannelError('store_failed', message, { cause })
}
