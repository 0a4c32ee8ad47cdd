import type { Post } from './intake.ts'

/** What a post may carry besides its sender and body. */
export type PostOptions = Pick<Post, 'bodyTypeName' | 'channelType' | 'key' | 'intervalMs' | 'ttlMs' | 'id'> & {
  readonly except?: string | Iterable<string>
}

/** A post to everybody. */
export function toAll(sender: string, body: unknown, { except, ...rest }: PostOptions): Post {
  return { ...rest, sender, body, to: except === undefined ? 'all' : { all: true, except } }
}

/** A post to all connections of a user, or of several. */
export function toUsers(
  users: string | Iterable<string>,
  sender: string,
  body: unknown,
  { except, ...rest }: PostOptions,
): Post {
  return { ...rest, sender, body, to: except === undefined ? { users } : { users, except } }
}
