import type { Addressee, AudienceKey } from './audience-keys.ts'
import type { Membership } from './membership.ts'
import type { Slot } from './slot.ts'

/** Who is at the other end of a connection. */
export interface RemoteConnectionInit {
  readonly id: string
  readonly user: string | undefined
  readonly groups: readonly string[]
  /** Told of groups that it is put into or taken out of. */
  readonly onGroup: (group: string, isIn: boolean) => void
  /** Told how often it wants to be told. See Connection.tellEvery. */
  readonly onPace: (intervalMs: number) => void
}

/** A connection of this server that another process writes to. It is here to be counted, and found by its id. */
export class RemoteConnection implements Addressee {
  readonly id: string
  readonly user: string | undefined
  readonly memberships: Membership[] = []
  readonly onGroup: (group: string, isIn: boolean) => void
  readonly tellEvery: (intervalMs: number) => void
  /** Offset of the newest entry that is for it, so that one for two of its keys counts once. */
  #matched = 0

  constructor({ id, user, onGroup, onPace }: RemoteConnectionInit) {
    this.id = id
    this.user = user
    this.onGroup = onGroup
    this.tellEvery = onPace
  }

  notify({ offset }: Slot): boolean {
    const isNew = this.#matched !== offset
    this.#matched = offset
    return isNew
  }

  /** Nothing waits here. */
  release(): void {}

  join(key: AudienceKey, since: number, isLasting: boolean): void {
    if (this.memberships.some((membership) => membership.key === key)) return
    this.memberships.push({ key, since, isLasting })
    key.connections.add(this)
  }

  leave(key: AudienceKey): void {
    const index = this.memberships.findIndex((membership) => membership.key === key)
    if (index === -1) return
    this.memberships.splice(index, 1)
    key.connections.delete(this)
  }

  lose(): void {
    this.#matched = 0
  }

  close(): void {}
}
