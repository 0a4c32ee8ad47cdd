import { randomUUID } from 'node:crypto'
import type { Draft } from '../channel/entry.ts'
import type { OutboxBatch, OutboxSource } from './outbox.ts'
import { allRefused, type OutboxRow, type ReadPost, readRows, refusalText } from './outbox-row.ts'
import { SqliteReaderLink } from './sqlite-link.ts'

interface SqliteSourceParts {
  readonly file: string
  readonly readPost: ReadPost
  readonly onWarning: (reason: string) => void
}

/** What transactions posted in an SQLite database of the application's. */
export class SqliteOutboxSource implements OutboxSource {
  readonly #parts: SqliteSourceParts
  readonly #holder = randomUUID()
  #onMore: () => void = () => {}
  #link: SqliteReaderLink | undefined
  #isClosed = false

  constructor(parts: SqliteSourceParts) {
    this.#parts = parts
  }

  async open(onMore: () => void): Promise<void> {
    this.#onMore = () => {
      if (!this.#isClosed) onMore()
    }
    await this.#connect()
  }

  /** Something is about to be committed. */
  soon(): void {
    this.#link?.soon()
  }

  async take(): Promise<OutboxBatch | undefined> {
    const link = await this.#connect()
    const answer = await link.ask({ type: 'take' })
    if (answer.type === 'none') return undefined
    if (answer.type !== 'taken') throw failure(answer)
    return this.#batch(link, answer.rows)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#link?.close()
  }

  #batch(link: SqliteReaderLink, rows: readonly OutboxRow[]): OutboxBatch {
    const read = readRows(rows, this.#parts.readPost)
    return {
      drafts: read.drafts,
      acknowledge: async (byLog: ReadonlyMap<Draft, string>) => {
        const refused = allRefused(read, byLog)
        const numbers = rows.map(({ number }) => number)
        const answer = await link.ask({ type: 'acknowledge', numbers, refused })
        if (answer.type !== 'acknowledged') throw failure(answer)
        for (const [number, reason] of refused) {
          this.#parts.onWarning(refusalText(number, 'serverchannel_refused', reason))
        }
      },
    }
  }

  async #connect(): Promise<SqliteReaderLink> {
    if (this.#link && !this.#link.isGone) return this.#link
    const link = new SqliteReaderLink(this.#onMore)
    this.#link = link
    const answer = await link.ask({ type: 'open', file: this.#parts.file, holder: this.#holder })
    if (answer.type === 'opened') return link
    await link.close()
    throw failure(answer)
  }
}

function failure(answer: { readonly type: string; readonly reason?: string; readonly isOption?: boolean }): Error {
  const { type, reason = `It was answered with '${type}'.`, isOption = false } = answer
  return isOption ? new TypeError(reason) : new Error(reason)
}
