import { formatPosition, type LossReason } from '@serverchannel/protocol'
import type { Received } from './fake-outlet.ts'
import { type Member, type Oracle, type Posted, positionOf } from './simulation-oracle.ts'

/** Holds what one client gets against what it ought to get. Throws an Error that says what is wrong. */
export class Ledger {
  readonly #oracle: Oracle
  readonly #member: Member
  #epoch = ''
  #cursor = -1
  /** Since then it has read all at once, and what it has got: it is live, and gets every entry. */
  #calm: { readonly from: number; readonly got: Set<number> } | undefined
  messages = 0
  gaps = 0
  recoveries = 0
  /** Entries that it didn't get, since a newer one of their key stands for them. */
  replaced = 0
  /** Entries that were in the log when it had all that was due, and that waited for the end of an interval. */
  waits = 0
  /** Entries that it got one by one, being live. */
  calmEntries = 0

  constructor(oracle: Oracle, member: Member) {
    this.#oracle = oracle
    this.#member = member
  }

  /** Where the client would resume; empty where it has no position yet. */
  get position(): string {
    return this.#epoch === '' ? '' : formatPosition(this.#epoch, this.#cursor)
  }

  /** A connection of a client that keeps no position begins where the log is now. */
  begin(): void {
    this.#epoch = this.#oracle.epoch
    this.#cursor = this.#oracle.head
    this.disturb()
  }

  /** Something happened by which it may be behind. */
  disturb(): void {
    this.#calm = undefined
  }

  /** Whether it is a message that the client must get, and for which nothing stands. */
  isRequired(received: Received | undefined): boolean {
    if (!received || !('message' in received)) return false
    const { epoch, offset } = positionOf(received.message.Position ?? '')
    const { isCertain } = this.#oracle.claim(this.#member, epoch, offset)
    return isCertain && !this.#oracle.isReplaced(this.#member, epoch, offset)
  }

  isKeyed(received: Received): boolean {
    if (!('message' in received)) return false
    const { epoch, offset } = positionOf(received.message.Position ?? '')
    return this.#oracle.at(epoch, offset)?.key !== undefined
  }

  take(received: Received): void {
    if ('message' in received) this.#takeMessage(received.message.Position ?? '', received.message.Body)
    else this.#takeState(received.state)
  }

  /**
   * To be called when the client is there and has been given all there is: then it has all that was due by now. What a
   * newer entry stands for was due none the less, unless that one may have expired: one of the two has come.
   */
  requireDue(now: number): void {
    const { head, epoch } = this.#oracle
    if (this.#epoch !== epoch) throw new Error(`The client is left in ${this.#epoch}`)
    const waits = ({ intervalMs, at }: Posted): boolean => intervalMs !== undefined && at + intervalMs > now
    const span = { epoch, after: this.#cursor, upTo: head }
    const late = this.#oracle.first(
      this.#member,
      span,
      (posted, offset) => !waits(posted) && !this.#oracle.isReplaced(this.#member, epoch, offset, false),
    )
    if (late !== undefined) throw new Error(`${epoch}:${late} is due, and has not come to one at ${this.position}`)
    if (this.#oracle.first(this.#member, span, waits) !== undefined) this.waits++
  }

  /** A client that has been live since the last call got each entry, unless there were too many; from here on it is live. */
  requireEach(countMax: number): void {
    const { epoch, head } = this.#oracle
    const calm = this.#calm
    if (calm && head - calm.from < countMax) {
      const isMissing = ({ intervalMs }: Posted, offset: number): boolean =>
        intervalMs === undefined && !calm.got.has(offset)
      const missing = this.#oracle.first(this.#member, { epoch, after: calm.from, upTo: head }, isMissing)
      if (missing !== undefined) throw new Error(`${epoch}:${missing} was left out for one that is live`)
      this.calmEntries += calm.got.size
    }
    this.#calm = { from: head, got: new Set() }
  }

  #takeMessage(position: string, body: unknown): void {
    const { epoch, offset } = positionOf(position)
    if (epoch !== this.#epoch) throw new Error(`${position} came without a word of its epoch`)
    if (offset <= this.#cursor) throw new Error(`${position} came again or out of order, after ${this.position}`)
    const posted = this.#oracle.at(epoch, offset)
    if (!posted || JSON.stringify(posted.body) !== JSON.stringify(body))
      throw new Error(`${position} was not posted so`)
    if (this.#oracle.claim(this.#member, epoch, offset).reach === 'none') throw new Error(`${position} is for others`)
    this.#requireNone(offset - 1, position)
    this.#cursor = offset
    this.#calm?.got.add(offset)
    this.messages++
  }

  #takeState(state: { epoch: string; offset: number; recovered?: boolean; reason?: LossReason }): void {
    if (state.recovered === false) {
      this.#requireReason(state.reason)
      this.gaps++
      this.disturb()
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
    const missed = this.#oracle.first(this.#member, { epoch: this.#epoch, after: this.#cursor, upTo }, (_, offset) => {
      const isReplaced = this.#oracle.isReplaced(this.#member, this.#epoch, offset)
      if (isReplaced) this.replaced++
      return !isReplaced
    })
    if (missed !== undefined) throw new Error(`${where} came before ${this.#epoch}:${missed}, which is missing`)
  }
}
