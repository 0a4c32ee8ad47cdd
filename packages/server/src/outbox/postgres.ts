import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import { draftToText } from '../stores/draft-text.ts'
import { parsePostgresAddress } from '../stores/postgres-address.ts'
import { sqlState } from '../stores/postgres-client.ts'
import type { Outbox, OutboxSource, OutboxWriter, QueryTransaction, Transaction } from './outbox.ts'
import { PostgresOutboxSource } from './postgres-source.ts'
import { findInCauses, runQuery } from './run-query.ts'

const WRITE = 'SELECT serverchannel.write($1, $2, $3, $4, $5)'

/** Posting in transactions of PostgreSQL: the functions of `sql/postgres/` are there, in the schema `serverchannel`. */
export class PostgresOutbox implements Outbox {
  readonly source: OutboxSource | undefined
  readonly #channel: string

  /** @param isLog the log of this server is in the same database, under the same name: posting there is appending */
  constructor(address: string, isLog: boolean, onWarning: (reason: string) => void) {
    const parsed = parsePostgresAddress(address)
    this.#channel = parsed.channel
    this.source = isLog ? undefined : new PostgresOutboxSource(parsed, onWarning)
  }

  writerIn(transaction: Transaction): OutboxWriter {
    if (!('query' in transaction) || typeof transaction.query !== 'function') {
      throw new TypeError("The transaction needs a method 'query(text, params)', as a client of pg has it.")
    }
    return { isSynchronous: false, write: (draft) => this.#write(transaction, draft) }
  }

  async #write(transaction: QueryTransaction, draft: Draft): Promise<void> {
    const id = draft.isIdempotent ? JSON.stringify(draft.id) : null
    const values = [this.#channel, draftToText(draft), id, draft.bytes, Math.floor(draft.postedAt)]
    try {
      await runQuery(transaction, WRITE, values)
    } catch (cause) {
      // The schema is not there, or the function.
      if (!['3F000', '42883'].includes(findInCauses(cause, sqlState) ?? '')) throw cause
      const message = 'The database has no functions to post with. Make them: npx serverchannel outbox install URL'
      throw new ChannelError('store_failed', message, { cause })
    }
  }
}
