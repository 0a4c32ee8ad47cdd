import { createHash } from 'node:crypto'
import type { Position } from '@serverchannel/protocol'

/** Where a client goes on from, and, where it asks, whose that is. */
export interface Start {
  readonly position: Position | null | undefined
  readonly owner?: string
}

/**
 * @param claimed whose position it is, as the client believes: undefined where it does not ask, empty where it does not
 * know. Where somebody else was is no place to go on from
 */
export function startOf(position: Start['position'], claimed: string | undefined, user: string | undefined): Start {
  if (claimed === undefined) return { position }
  const owner = positionOwner(user)
  return { position: claimed && claimed !== owner ? null : position, owner }
}

/** Of the 32 bytes: enough that no two users of one browser share it, and it says nothing about either. */
const OWNER_LENGTH = 16

/** What a client is told of whose its positions are: another text for each user, and one for all who are nobody. */
function positionOwner(user: string | undefined): string {
  const named = user === undefined ? 'nobody' : `user ${user}`
  return createHash('sha256').update(named).digest('base64url').slice(0, OWNER_LENGTH)
}
