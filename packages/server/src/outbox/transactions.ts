import type { Draft } from '../channel/entry.ts'
import type { Post } from '../channel/intake.ts'
import { openOutbox } from './open-outbox.ts'
import type { Outbox, Transaction } from './outbox.ts'
import type { ReadPost } from './outbox-row.ts'
import { openRelay, type Relay } from './relay.ts'
import { TransactionChannel } from './transaction-channel.ts'

interface TransactionsParts {
  /** Of the outbox, as the option says; undefined: the store may be its own. */
  readonly address: string | undefined
  /** Undefined: a store of the application's own. */
  readonly store: string | undefined
  /** Puts drafts into the log, all or none. */
  readonly append: (drafts: readonly Draft[]) => Promise<unknown>
  /** Checks a post, and stamps it. @throws ChannelError */
  readonly toDraft: (post: Post) => Draft
  /** Checks what somebody else wrote. */
  readonly readPost: ReadPost
  readonly onUnobserved: (error: unknown, sender: unknown) => void
  readonly onError: (error: unknown) => void
  readonly onWarning: (reason: string) => void
}

/** Posting in transactions of a database, as far as a server's options have one. */
export class Transactions {
  readonly #parts: TransactionsParts
  #outbox: Outbox | undefined
  #relay: Relay | undefined

  constructor(parts: TransactionsParts) {
    this.#parts = parts
  }

  /** To be called when the log is open. @throws TypeError where there is no such outbox; ChannelError `store_failed` */
  async open(): Promise<void> {
    const { append, onError } = this.#parts
    this.#outbox = await openOutbox(this.#parts)
    const source = this.#outbox?.source
    if (source) this.#relay = await openRelay({ source, append, onError })
  }

  /** @throws TypeError where there is no outbox, or what is given runs no SQL */
  in<Contract>(transaction: Transaction): TransactionChannel<Contract> {
    const { toDraft, onUnobserved } = this.#parts
    const outbox = this.#outbox
    if (!outbox) {
      throw new TypeError(
        "Posting in a transaction needs the option 'outbox', as 'postgres://…' or 'sqlite:FILE', or a PostgreSQL store.",
      )
    }
    return new TransactionChannel({ writer: outbox.writerIn(transaction ?? {}), toDraft, onUnobserved })
  }

  /** What it has in hand comes into the log; the rest another node's relay takes. */
  async close(): Promise<void> {
    await this.#relay?.close()
  }
}
