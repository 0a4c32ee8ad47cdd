import type { BodyOf } from '@serverchannel/protocol'
import type { Post } from './channel/intake.ts'

/** What a post may carry besides its sender and body. */
export type PostOptions = Pick<Post, 'bodyTypeName' | 'channelType' | 'key' | 'intervalMs' | 'ttlMs' | 'id'> & {
  readonly except?: string | Iterable<string>
}

/** A post whose body is by the contract. */
export type PostOf<Contract, Sender extends string> = Omit<Post, 'sender' | 'body'> & {
  readonly sender: Sender
  readonly body?: BodyOf<Contract, Sender> | undefined
}
