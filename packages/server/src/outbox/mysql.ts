import { ChannelError } from '../channel/channel-error.ts'
import { parseMysqlAddress } from './mysql-address.ts'
import { isMissing } from './mysql-schema.ts'
import { MysqlOutboxSource } from './mysql-source.ts'
import type { Outbox, OutboxWriter, QueryTransaction, Transaction } from './outbox.ts'
import { INSERT_ROW, type ReadPost, rowValues } from './outbox-row.ts'
import { findInCauses, runQuery } from './run-query.ts'

/** Posting in transactions of MySQL or MariaDB: the tables of `sql/mysql/` are there, in the application's database. */
export class MysqlOutbox implements Outbox {
  readonly source: MysqlOutboxSource

  constructor(address: string, readPost: ReadPost, onWarning: (reason: string) => void) {
    this.source = new MysqlOutboxSource(parseMysqlAddress(address), readPost, onWarning)
  }

  writerIn(transaction: Transaction): OutboxWriter {
    if (!('query' in transaction) || typeof transaction.query !== 'function') {
      throw new TypeError(
        "The transaction needs a method 'query(text, params)', as a connection of mysql2/promise has it.",
      )
    }
    const preparing = prepare(transaction)
    return {
      isSynchronous: false,
      write: async (draft) => {
        const values = rowValues(draft)
        await runQuery(preparing, INSERT_ROW, values).catch(explain)
        this.source.soon()
      },
    }
  }
}

/** `query` writes texts into the statement, escaped for one mode of the session; `execute` sends them beside it. */
function prepare(transaction: QueryTransaction): QueryTransaction {
  if (!('execute' in transaction) || typeof transaction.execute !== 'function') return transaction
  const { execute } = transaction as { readonly execute: QueryTransaction['query'] }
  return { query: (text, params) => execute.call(transaction, text, params) }
}

function explain(cause: unknown): never {
  if (!findInCauses(cause, (error) => isMissing(error) || undefined)) throw cause
  const message = 'The database has no table to post to. Make it: npx serverchannel outbox install URL'
  throw new ChannelError('store_failed', message, { cause })
}
