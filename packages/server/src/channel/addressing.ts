import type { BodyOf } from '@serverchannel/protocol'
import type { Post } from './intake.ts'

/** What a post may carry besides its sender and body. */
export type PostOptions = Pick<Post, 'bodyTypeName' | 'channelType' | 'key' | 'intervalMs' | 'ttlMs' | 'id'> & {
  readonly except?: string | Iterable<string>
}

/** A post whose body is by the contract. */
export type PostOf<Contract, Sender extends string> = Omit<Post, 'sender' | 'body'> & {
  readonly sender: Sender
  readonly body?: BodyOf<Contract, Sender> | undefined
}

/** A post of this sender and body, and whom it is for. */
type Addressed<Sender, Body> = Omit<Post, 'sender' | 'body'> & { readonly sender: Sender; readonly body: Body }

/** A post to everybody. */
export function toAll<Sender extends string, Body>(
  sender: Sender,
  body: Body,
  { except, ...rest }: PostOptions,
): Addressed<Sender, Body> {
  return { ...rest, sender, body, to: except === undefined ? 'all' : { all: true, except } }
}

/** A post to all connections of a user, or of several. */
export function toUsers<Sender extends string, Body>(
  users: string | Iterable<string>,
  sender: Sender,
  body: Body,
  { except, ...rest }: PostOptions,
): Addressed<Sender, Body> {
  return { ...rest, sender, body, to: except === undefined ? { users } : { users, except } }
}
