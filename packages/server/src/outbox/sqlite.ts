import { ChannelError } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import type {
  Outbox,
  OutboxSource,
  OutboxWriter,
  QueryTransaction,
  SynchronousTransaction,
  Transaction,
} from './outbox.ts'
import { INSERT_ROW, type ReadPost, rowValues } from './outbox-row.ts'
import { findInCauses, runQuery } from './run-query.ts'
import { SqliteOutboxSource } from './sqlite-source.ts'

/** Posting in transactions of SQLite: the tables of `sql/sqlite/` are in the application's database. */
export class SqliteOutbox implements Outbox {
  readonly #source: SqliteOutboxSource

  constructor(file: string, readPost: ReadPost, onWarning: (reason: string) => void) {
    this.#source = new SqliteOutboxSource({ file, readPost, onWarning })
  }

  get source(): OutboxSource {
    return this.#source
  }

  writerIn(transaction: Transaction): OutboxWriter {
    const { prepare, query } = transaction as { readonly prepare?: unknown; readonly query?: unknown }
    if (typeof prepare === 'function') {
      const write = (draft: Draft): undefined => {
        attempt(() => (transaction as SynchronousTransaction).prepare(INSERT_ROW).run(...rowValues(draft)))
        this.#source.soon()
      }
      return { isSynchronous: true, write }
    }
    if (typeof query !== 'function') {
      throw new TypeError(
        "The transaction needs a method 'prepare(text)', as better-sqlite3 has it, or 'query(text, params)'.",
      )
    }
    return {
      isSynchronous: false,
      write: async (draft) => {
        const values = rowValues(draft)
        await runQuery(transaction as QueryTransaction, INSERT_ROW, values).catch(explain)
        this.#source.soon()
      },
    }
  }
}

function attempt(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    explain(error)
  }
}

function explain(cause: unknown): never {
  const isMissing = findInCauses(cause, ({ message }: { readonly message?: unknown }) =>
    /no such table: (?:main\.)?serverchannel_outbox/.test(String(message)) ? true : undefined,
  )
  if (!isMissing) throw cause
  const message = 'The database has no table to post to. Make it: npx serverchannel outbox install sqlite:FILE'
  throw new ChannelError('store_failed', message, { cause })
}
