import { parsePosition } from '@serverchannel/protocol'
import type { Audience } from '../src/channel/audience.ts'

/** A group that a connection of the client was added to, for entries after one offset and up to another. */
export interface Stay {
  readonly group: string
  readonly epoch: string
  readonly from: number
  /** Undefined: it is in it still. */
  to: number | undefined
}

/** What a client is, as far as audiences are concerned. */
export interface Member {
  readonly user: string
  readonly groups: readonly string[]
  /** Ids of all connections it ever had. */
  readonly connectionIds: readonly string[]
  readonly stays: readonly Stay[]
}

export interface Posted {
  readonly sender: string
  readonly key: string | undefined
  readonly intervalMs: number | undefined
  readonly body: unknown
  readonly audience: Audience
  /** It may expire before somebody reads it. */
  readonly isShortLived: boolean
  /** When it came into the log. */
  readonly at: number
}

/** Whether an entry must come, may come, or must not. `lastingly`: also on the client's next connection. */
interface Claim {
  readonly reach: 'none' | 'passing' | 'lasting'
  readonly isCertain: boolean
}

interface Epoch {
  /** The log goes on after this offset. */
  readonly base: number
  readonly entries: Posted[]
}

/** What the log ought to hold, by another way than the channel's: what posters were promised. */
export class Oracle {
  epoch = 'epoch-1'
  trimmedTo = 0
  readonly #epochs = new Map<string, Epoch>([['epoch-1', { base: 0, entries: [] }]])

  get head(): number {
    const { base, entries } = this.#of(this.epoch)
    return base + entries.length
  }

  posted(position: string, posted: Posted): void {
    const { epoch, offset } = positionOf(position)
    if (epoch !== this.epoch || offset !== this.head + 1) throw new Error(`The log goes on at ${position}`)
    this.#of(epoch).entries.push(posted)
  }

  began(epoch: string, head: number): void {
    this.epoch = epoch
    this.trimmedTo = head
    this.#epochs.set(epoch, { base: head, entries: [] })
  }

  at(epoch: string, offset: number): Posted | undefined {
    const { base, entries } = this.#epochs.get(epoch) ?? { base: 0, entries: [] }
    return entries[offset - base - 1]
  }

  /** The first entry after one offset and up to another that is the member's for certain and that passes the test. */
  first(
    member: Member,
    { epoch, after, upTo }: { epoch: string; after: number; upTo: number },
    test: (posted: Posted, offset: number) => boolean,
  ): number | undefined {
    const { base, entries } = this.#of(epoch)
    for (let offset = Math.max(after, base) + 1; offset <= Math.min(upTo, base + entries.length); offset++) {
      const posted = entries[offset - base - 1]
      if (!posted || !this.claim(member, epoch, offset).isCertain) continue
      if (test(posted, offset)) return offset
    }
    return undefined
  }

  claim(member: Member, epoch: string, offset: number): Claim {
    const posted = this.at(epoch, offset)
    if (!posted) return { reach: 'none', isCertain: false }
    const { audience, isShortLived } = posted
    const names = (ids: readonly string[] | undefined): boolean =>
      ids?.some((id) => member.connectionIds.includes(id)) ?? false
    // An entry that excepts one connection of a client is for the next one of it.
    const isDoubtful = isShortLived || names(audience.except)
    const isLasting =
      audience.all === true ||
      audience.users?.includes(member.user) === true ||
      audience.groups?.some((group) => member.groups.includes(group)) === true
    if (isLasting) return { reach: 'lasting', isCertain: !isDoubtful }
    const stays = member.stays.filter((stay) => isIn(stay, audience, epoch, offset))
    const reach = stays.length > 0 || names(audience.connections) ? 'passing' : 'none'
    return { reach, isCertain: !isDoubtful && stays.some(({ to }) => to === undefined) }
  }

  /** Whether a newer entry of its key stands for an entry; `isCertain`: or may have, having expired before it was read. */
  isReplaced(member: Member, epoch: string, offset: number, isCertain?: boolean): boolean {
    const posted = this.at(epoch, offset)
    if (posted?.key === undefined) return false
    const { reach } = this.claim(member, epoch, offset)
    for (let newer = offset + 1; ; newer++) {
      const other = this.at(epoch, newer)
      if (!other) return false
      if (other.key !== posted.key || other.sender !== posted.sender) continue
      const claim = this.claim(member, epoch, newer)
      if (isCertain !== undefined && claim.isCertain !== isCertain) continue
      if (claim.reach === 'lasting' || (claim.reach === 'passing' && reach !== 'lasting')) return true
    }
  }

  #of(epoch: string): Epoch {
    const found = this.#epochs.get(epoch)
    if (!found) throw new Error(`There is no epoch ${epoch}`)
    return found
  }
}

function isIn(stay: Stay, { groups }: Audience, epoch: string, offset: number): boolean {
  if (stay.epoch !== epoch || !groups?.includes(stay.group)) return false
  return offset > stay.from && (stay.to === undefined || offset <= stay.to)
}

export function positionOf(text: string): { epoch: string; offset: number } {
  const position = parsePosition(text)
  if (!position) throw new Error(`'${text}' is no position`)
  return position
}
