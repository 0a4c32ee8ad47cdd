import { formatPosition, type LossReason, parsePosition } from '@serverchannel/protocol'
import type { Audience } from '../src/channel/audience.ts'
import type { Received } from './fake-outlet.ts'

/** What a client is, as far as audiences are concerned. */
export interface Member {
  readonly user: string
  readonly groups: readonly string[]
  /** Ids of all connections it ever had. */
  readonly connectionIds: readonly string[]
}

interface Posted {
  readonly body: unknown
  readonly audience: Audience
  /** It may expire before somebody reads it. */
  readonly isShortLived: boolean
}

/** What the log ought to hold, by another way than the channel's. */
export class Oracle {
  epoch = 'epoch-1'
  trimmedTo = 0
  readonly #epochs = new Map<string, Map<number, Posted>>([['epoch-1', new Map()]])

  get head(): number {
    return Math.max(this.trimmedTo, ...(this.#epochs.get(this.epoch)?.keys() ?? []))
  }

  posted(position: string, posted: Posted): void {
    const { epoch, offset } = positionOf(position)
    if (epoch !== this.epoch || offset !== this.head + 1) throw new Error(`The log goes on at ${position}`)
    this.#epochs.get(epoch)?.set(offset, posted)
  }

  began(epoch: string, head: number): void {
    this.epoch = epoch
    this.trimmedTo = head
    this.#epochs.set(epoch, new Map())
  }

  at(epoch: string, offset: number): Posted | undefined {
    return this.#epochs.get(epoch)?.get(offset)
  }

  /** The first entry after one offset and up to another that the member must have got. */
  firstRequired(member: Member, epoch: string, after: number, upTo: number): number | undefined {
    for (const [offset, posted] of this.#epochs.get(epoch) ?? []) {
      if (offset > after && offset <= upTo && relation(posted, member) === 'required') return offset
    }
    return undefined
  }
}

/** Whether an entry must come, may come, or must not. */
function relation({ audience, isShortLived }: Posted, member: Member): 'required' | 'optional' | 'forbidden' {
  const has = (ids: readonly string[] | undefined): boolean =>
    ids?.some((id) => member.connectionIds.includes(id)) ?? false
  const isNamed =
    audience.all === true ||
    audience.users?.includes(member.user) === true ||
    audience.groups?.some((group) => member.groups.includes(group)) === true
  if (!isNamed) return has(audience.connections) ? 'optional' : 'forbidden'
  // An entry that excepts one connection of a client is for the next one of it.
  return isShortLived || has(audience.except) ? 'optional' : 'required'
}

/** Holds what one client gets against what it ought to get. Throws an Error that says what is wrong. */
export class Ledger {
  readonly #oracle: Oracle
  readonly #member: Member
  #epoch = ''
  #cursor = -1
  messages = 0
  gaps = 0
  recoveries = 0

  constructor(oracle: Oracle, member: Member) {
    this.#oracle = oracle
    this.#member = member
  }

  /** Where the client would resume; empty where it has no position yet. */
  get position(): string {
    return this.#epoch === '' ? '' : formatPosition(this.#epoch, this.#cursor)
  }

  /** Whether it is a message that no connection of the client may miss. */
  isRequired(received: Received | undefined): boolean {
    if (!received || !('message' in received)) return false
    const { epoch, offset } = positionOf(received.message.Position ?? '')
    const posted = this.#oracle.at(epoch, offset)
    return posted !== undefined && relation(posted, this.#member) === 'required'
  }

  take(received: Received): void {
    if ('message' in received) this.#takeMessage(received.message.Position ?? '', received.message.Body)
    else this.#takeState(received.state)
  }

  /** To be called when the client has been given all that there is. */
  finish(): void {
    if (this.#epoch !== this.#oracle.epoch) throw new Error(`The client is left in ${this.#epoch}`)
    this.#requireNone(this.#oracle.head, 'The end')
  }

  #takeMessage(position: string, body: unknown): void {
    const { epoch, offset } = positionOf(position)
    if (epoch !== this.#epoch) throw new Error(`${position} came without a word of its epoch`)
    if (offset <= this.#cursor) throw new Error(`${position} came again or out of order, after ${this.position}`)
    const posted = this.#oracle.at(epoch, offset)
    if (!posted || JSON.stringify(posted.body) !== JSON.stringify(body))
      throw new Error(`${position} was not posted so`)
    if (relation(posted, this.#member) === 'forbidden') throw new Error(`${position} is for others`)
    this.#requireNone(offset - 1, position)
    this.#cursor = offset
    this.messages++
  }

  #takeState(state: { epoch: string; offset: number; recovered?: boolean; reason?: LossReason }): void {
    if (state.recovered === false) {
      this.#requireReason(state.reason)
      this.gaps++
    } else if (this.#epoch !== '') {
      if (state.epoch !== this.#epoch) throw new Error(`Epoch ${state.epoch} began without a stated gap`)
      if (state.offset < this.#cursor) throw new Error(`The position went back to ${state.offset}`)
      this.#requireNone(state.offset, `The state at ${state.offset}`)
      if (state.recovered) this.recoveries++
    } else if (state.recovered) throw new Error('Something was recovered for a client that had nothing')
    this.#epoch = state.epoch
    this.#cursor = state.offset
  }

  #requireReason(reason: LossReason | undefined): void {
    if (this.#epoch === '') throw new Error('A gap was stated to a client that had nothing')
    const isTrue =
      this.#epoch !== this.#oracle.epoch
        ? reason !== undefined
        : reason === 'history-trimmed' && this.#oracle.trimmedTo > this.#cursor
    if (!isTrue) throw new Error(`A gap after ${this.position} was stated as ${reason}, and there is none`)
  }

  #requireNone(upTo: number, where: string): void {
    const missed = this.#oracle.firstRequired(this.#member, this.#epoch, this.#cursor, upTo)
    if (missed !== undefined) throw new Error(`${where} came before ${this.#epoch}:${missed}, which is missing`)
  }
}

function positionOf(text: string): { epoch: string; offset: number } {
  const position = parsePosition(text)
  if (!position) throw new Error(`'${text}' is no position`)
  return position
}
