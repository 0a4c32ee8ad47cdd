import type { Entry } from './entry.ts'
import type { KeyedSlots } from './key-index.ts'
import { type Member, type Membership, reachOf } from './membership.ts'

/**
 * Finds, for one member, the newer entries that stand for older ones: latest wins, among those that are for it and due.
 * What waits for the end of its key's interval stands for nothing yet: a reader for whom there is always another one that
 * waits would get none.
 */
export class Replacements {
  readonly #member: Member
  readonly #due: number
  /** The newest of each key that is for the member: looked for once, since those that except it may be many. */
  readonly #newest = new Map<KeyedSlots, number>()

  constructor(member: Member, due: number) {
    this.#member = member
    this.#due = due
  }

  /** Offset of the newest entry in the tail that stands for this one; 0 where none does. */
  of(entry: Entry): number {
    let found = 0
    let reachesLastingly: boolean | undefined
    for (const membership of this.#member.memberships) {
      const newest = this.#newestOf(entry, membership)
      if (newest <= entry.offset || newest <= found || newest <= membership.since) continue
      if (!membership.isLasting) {
        reachesLastingly ??= reachOf(entry, this.#member) === 'lasting'
        if (reachesLastingly) continue
      }
      found = newest
    }
    return found
  }

  #newestOf(entry: Entry, { key }: Membership): number {
    const keyed = key.keyed?.find(entry)
    if (!keyed) return 0
    let newest = this.#newest.get(keyed)
    if (newest === undefined) {
      newest = newestFor(keyed, this.#member.id, this.#due)
      this.#newest.set(keyed, newest)
    }
    return newest
  }
}

function newestFor({ slots }: KeyedSlots, connectionId: string, due: number): number {
  for (let index = slots.indexAfter(due) - 1; index >= 0; index--) {
    const slot = slots.at(index)
    if (!slot.excludes(connectionId)) return slot.offset
  }
  return 0
}
