import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import { draftToText } from '../stores/draft-text.ts'
import { parsePostgresAddress } from '../stores/postgres-address.ts'
import { sqlState } from '../stores/postgres-client.ts'
import type { Outbox, OutboxSource, Transaction } from './outbox.ts'
import { PostgresOutboxSource } from './postgres-source.ts'

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

  async write(transaction: Transaction, drafts: readonly Draft[]): Promise<void> {
    for (const draft of drafts) {
      const id = draft.isIdempotent ? JSON.stringify(draft.id) : null
      const values = [this.#channel, draftToText(draft), id, draft.bytes, Math.floor(draft.postedAt)]
      try {
        await transaction.query(WRITE, values)
      } catch (cause) {
        // The schema is not there, or the function.
        if (!['3F000', '42883'].includes(sqlState(cause) ?? '')) throw cause
        const message = 'The database has no functions to post with. Make them: npx serverchannel outbox install URL'
        throw new ChannelError('store_failed', message, { cause })
      }
    }
  }
}
