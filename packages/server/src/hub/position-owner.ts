import { createHash } from 'node:crypto'

/** Of the 32 bytes: enough that no two users of one browser share it, and it says nothing about either. */
const OWNER_LENGTH = 16

/** What a client is told of whose its positions are: another text for each user, and one for all who are nobody. */
export function positionOwner(user: string | undefined): string {
  const named = user === undefined ? 'nobody' : `user ${user}`
  return createHash('sha256').update(named).digest('base64url').slice(0, OWNER_LENGTH)
}

/** What the client believes: undefined where it does not ask, empty where it does not know. */
export function claimedOwner(url: string): string | undefined {
  // Most clients don't, and none should pay for it.
  if (!url.includes('owner=')) return undefined
  return new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('owner') ?? undefined
}
