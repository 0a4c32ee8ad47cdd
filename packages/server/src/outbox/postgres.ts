import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import { draftToText } from '../stores/draft-text.ts'
import { parsePostgresAddress } from '../stores/postgres-address.ts'
import { sqlState } from '../stores/postgres-client.ts'
import type { Outbox, OutboxSource, OutboxWriter, QueryTransaction, SynchronousTransaction } from './outbox.ts'
import type { ReadPost } from './outbox-row.ts'
import { PostgresOutboxSource } from './postgres-source.ts'
import { findInCauses, runQuery } from './run-query.ts'

const WRITE = 'SELECT serverchannel.write($1, $2, $3, $4, $5)'
const INSTALL = 'The database has no functions to post with. Make them: npx serverchannel outbox install URL'
const GRANT =
  'This role may not post from a server: GRANT USAGE ON SCHEMA serverchannel and EXECUTE ON FUNCTION serverchannel.write TO it.'
/** By what PostgreSQL says: the schema is not there, or the function, or is not for this role. */
const HELP: ReadonlyMap<string, string> = new Map([
  ['3F000', INSTALL],
  ['42883', INSTALL],
  ['42501', GRANT],
])

/** Posting in transactions of PostgreSQL: the functions of `sql/postgres/` are there, in the schema `serverchannel`. */
export class PostgresOutbox implements Outbox {
  readonly source: OutboxSource | undefined
  readonly #channel: string

  /** @param isLog the log of this server is in the same database, under the same name: posting there is appending */
  constructor(address: string, isLog: boolean, readPost: ReadPost, onWarning: (reason: string) => void) {
    const parsed = parsePostgresAddress(address)
    this.#channel = parsed.channel
    this.source = isLog ? undefined : new PostgresOutboxSource({ address: parsed, readPost, onWarning })
  }

  writerIn(transaction: QueryTransaction | SynchronousTransaction): OutboxWriter {
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
      const help = HELP.get(findInCauses(cause, sqlState) ?? '')
      if (help === undefined) throw cause
      throw new ChannelError('store_failed', help, { cause })
    }
  }
}
