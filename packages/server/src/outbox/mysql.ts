import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import { parseMysqlAddress } from './mysql-address.ts'
import { isMissing } from './mysql-schema.ts'
import { MysqlOutboxSource } from './mysql-source.ts'
import type { Outbox, OutboxWriter, Transaction } from './outbox.ts'
import { INSERT_ROW, type ReadPost, rowValues } from './outbox-row.ts'

/** Posting in transactions of MySQL or MariaDB: the tables of `sql/mysql/` are there, in the application's database. */
export class MysqlOutbox implements Outbox {
  readonly source: MysqlOutboxSource

  constructor(address: string, readPost: ReadPost, onWarning: (reason: string) => void) {
    this.source = new MysqlOutboxSource(parseMysqlAddress(address), readPost, onWarning)
  }

  writerIn(transaction: Transaction): OutboxWriter {
    if (!('query' in transaction) || typeof transaction.query !== 'function') {
      throw new TypeError("The transaction needs a method 'query(text, params)', as a connection of mysql2/promise has it.")
    }
    return {
      isSynchronous: false,
      write: async (draft: Draft) => {
        try {
          await transaction.query(INSERT_ROW, rowValues(draft))
        } catch (cause) {
          if (!isMissing(cause)) throw cause
          const message = 'The database has no table to post to. Make it: npx serverchannel outbox install URL'
          throw new ChannelError('store_failed', message, { cause })
        }
        this.source.expect()
      },
    }
  }
}
