import type { BodyOf, NoContract } from '@serverchannel/protocol'
import { type PostOf, type PostOptions, toAll, toUsers } from '../channel/addressing.ts'
import type { Draft } from '../channel/entry.ts'
import type { Post } from '../channel/intake.ts'
import { Posting } from '../channel/posting.ts'
import type { OutboxWriter } from './outbox.ts'

/** What a poster gets in a transaction: there is no position before the commit. */
export interface TransactionReceipt {
  /** The message's Id. */
  readonly id: string
}

interface TransactionChannelParts {
  readonly writer: OutboxWriter
  /** Checks a post. @throws ChannelError */
  readonly toDraft: (post: Post) => Draft
  readonly onUnobserved: (error: unknown, sender: unknown) => void
}

/** Posts in a transaction: they are delivered exactly if it commits, in the order of the commits. Made by `channel.in`. */
export class TransactionChannel<Contract = NoContract> {
  readonly #parts: TransactionChannelParts

  /** @internal */
  constructor(parts: TransactionChannelParts) {
    this.#parts = parts
  }

  /**
   * Posts a message when the transaction commits. To be awaited like every statement of it: what it rejects with is the
   * driver's own error, or a ChannelError that says what is wrong with the message. Where the driver answers at once, as
   * those of SQLite do, the message is written when this returns, and what is wrong is thrown.
   *
   * @example await channel.in(client).post({ to: { groups: ['sales'] }, sender: 'OrderChanged', body: { id: 42 } })
   */
  post<Sender extends string>(post: PostOf<Contract, Sender>): Posting<TransactionReceipt> {
    const sender = (post as Post | null | undefined)?.sender
    // A step later, so that whoever awaits it has begun to when it fails at once.
    const outcome = this.#parts.writer.isSynchronous
      ? Promise.resolve(this.#writeNow(post))
      : this.#write(post).then((receipt) => receipt)
    return new Posting(outcome, (error) => this.#parts.onUnobserved(error, sender))
  }

  /** @example await channel.in(client).postMessageToAll('OrderChanged', { id: 42 }) */
  postMessageToAll<Sender extends string>(
    sender: Sender,
    body?: BodyOf<Contract, Sender>,
    options: PostOptions = {},
  ): Posting<TransactionReceipt> {
    return this.post(toAll(sender, body, options))
  }

  /** @example await channel.in(client).postMessage('user-7', 'OrderChanged', { id: 42 }) */
  postMessage<Sender extends string>(
    users: string | Iterable<string>,
    sender: Sender,
    body?: BodyOf<Contract, Sender>,
    options: PostOptions = {},
  ): Posting<TransactionReceipt> {
    return this.post(toUsers(users, sender, body, options))
  }

  async #write(post: Post): Promise<TransactionReceipt> {
    const draft = this.#parts.toDraft(post)
    await this.#parts.writer.write(draft)
    return { id: draft.id }
  }

  #writeNow(post: Post): TransactionReceipt {
    const draft = this.#parts.toDraft(post)
    void this.#parts.writer.write(draft)
    return { id: draft.id }
  }
}
