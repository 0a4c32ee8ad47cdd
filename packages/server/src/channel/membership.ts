import type { Audience } from './audience.ts'
import { audienceKeys } from './audience.ts'
import type { AudienceKey } from './audience-keys.ts'
import type { Entry } from './entry.ts'

/** One audience key that a connection is under. */
export interface Membership {
  readonly key: AudienceKey
  /** Entries up to this offset are not for the connection: it was not a member yet. */
  readonly since: number
  /** Whether the client's next connection is under it too. Groups that were joined and its own id end with the connection. */
  readonly isLasting: boolean
}

/** Whose memberships they are. */
export interface Member {
  readonly id: string
  readonly memberships: readonly Membership[]
}

/**
 * How an entry reaches a connection. An entry that reaches it in passing stands for none that reaches it lastingly: cut
 * off in between, the client would get neither.
 */
export type Reach = 'none' | 'passing' | 'lasting'

export function reachOf({ audience, offset }: Entry, { id, memberships }: Member): Reach {
  if (audience.except?.includes(id)) return 'none'
  const names = audienceKeys(audience)
  let reach: Reach = isNamed(audience, id) ? 'passing' : 'none'
  for (const { key, since, isLasting } of memberships) {
    if (offset <= since || !names.includes(key.name)) continue
    if (isLasting) return 'lasting'
    reach = 'passing'
  }
  return reach
}

/** A connection is under its own key only once it was addressed by it. */
function isNamed({ connections }: Audience, id: string): boolean {
  return connections?.includes(id) ?? false
}
