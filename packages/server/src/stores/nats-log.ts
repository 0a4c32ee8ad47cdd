import type { Draft } from '../channel/entry.ts'
import { EntryQueue } from '../channel/entry-queue.ts'
import type { LogState } from '../channel/store.ts'
import type { PieceHead } from './nats-message.ts'

/** Where an entry is, and what history's bounds need to know of it. */
interface Place {
  readonly offset: number
  readonly seq: number
  /** Which of its message's entries it is. */
  readonly index: number
  readonly bytes: number
  readonly postedAt: number
  readonly id: string | undefined
}

export interface LogBounds {
  readonly historyCountMax: number
  readonly historyBytesMax: number
  readonly historyAgeMaxMs: number
  readonly now: () => number
}

/**
 * What came of a message: `old`: it was applied before; `follows`: its entries come next; `epoch`: from here on the log has
 * this epoch, and nothing of it is lost; `gap`: what should come before it is gone; `other`: this is not the log that is
 * known, which has to be read anew.
 */
export type Applied = 'old' | 'follows' | 'epoch' | 'gap' | 'other'

/**
 * What a node knows of the log in a JetStream stream: where each entry is, and each id. It is derived from the messages
 * alone, in their order, so that all nodes know the same. It holds no bodies.
 */
export class NatsLog {
  readonly #bounds: LogBounds
  #places = new EntryQueue<Place>()
  #offsets = new Map<string, number>()
  #bytes = 0
  #epoch = ''
  #life = ''
  #lastSeq = 0
  #lastWriter = ''

  constructor(bounds: LogBounds) {
    this.#bounds = bounds
  }

  /** Empty: there is no log yet. */
  get epoch(): string {
    return this.#epoch
  }

  get life(): string {
    return this.#life
  }

  get lastSeq(): number {
    return this.#lastSeq
  }

  /** Of the newest message. */
  get lastWriter(): string {
    return this.#lastWriter
  }

  get head(): number {
    return this.#places.head
  }

  state(): LogState {
    this.trim()
    return { epoch: this.#epoch, head: this.#places.head, trimmedTo: this.#places.trimmedTo }
  }

  /** The messages before this one hold nothing that is kept. */
  get firstSeq(): number {
    return this.#places.count > 0 ? this.#places.at(0).seq : this.#lastSeq
  }

  /** @param isLoading the messages are read from the stream's beginning, so that whatever it begins with is right */
  apply(piece: PieceHead, isLoading = false): Applied {
    if (piece.seq <= this.#lastSeq) return 'old'
    const applied = this.#judge(piece, isLoading)
    if (applied === 'other') return applied
    if (applied === 'gap' || this.#epoch === '') this.#restart(piece.first - 1)
    this.#epoch = piece.epoch
    this.#life = piece.life
    this.#lastSeq = piece.seq
    this.#lastWriter = piece.writer
    for (const [index, { bytes, postedAt, id }] of piece.marks.entries()) {
      const offset = piece.first + index
      this.#places.push({ offset, seq: piece.seq, index, bytes, postedAt, id })
      this.#bytes += bytes
      if (id !== undefined) this.#offsets.set(id, offset)
    }
    this.trim()
    return applied
  }

  #judge(piece: PieceHead, isLoading: boolean): Applied {
    const isNext = piece.first === this.#places.head + 1
    if (this.#epoch === '') return 'epoch'
    if (piece.epoch === this.#epoch) {
      if (isNext) return 'follows'
      return isLoading || piece.first > this.#places.head ? 'gap' : 'other'
    }
    if (isNext && piece.marks.length === 0 && piece.seq === this.#lastSeq + 1) return 'epoch'
    return isLoading ? 'gap' : 'other'
  }

  /** Offsets of the drafts, and those of them that are not in the log yet. */
  place(drafts: readonly Draft[]): { readonly offsets: readonly number[]; readonly fresh: readonly Draft[] } {
    this.trim()
    const fresh: Draft[] = []
    const own = new Map<string, number>()
    const offsets = drafts.map((draft) => {
      const known = draft.isIdempotent ? (own.get(draft.id) ?? this.#offsets.get(draft.id)) : undefined
      if (known !== undefined) return known
      fresh.push(draft)
      const offset = this.#places.head + fresh.length
      if (draft.isIdempotent) own.set(draft.id, offset)
      return offset
    })
    return { offsets, fresh }
  }

  /** Which messages have the entries after the offset, at most so many and so large, at least one where there is one. */
  find(after: number, countMax: number, bytesMax: number): readonly Place[] | undefined {
    this.trim()
    if (after < this.#places.trimmedTo) return undefined
    const found: Place[] = []
    let bytes = 0
    for (let i = this.#places.indexAfter(after); i < this.#places.count; i++) {
      const place = this.#places.at(i)
      bytes += place.bytes
      if (found.length > 0 && (bytes > bytesMax || found.length === countMax)) break
      found.push(place)
    }
    return found
  }

  /** The stream has no messages before this one any more: somebody else purged it. */
  lostBefore(seq: number): void {
    while (this.#places.count > 0 && this.#places.at(0).seq < seq) this.#forget()
  }

  /** Messages went by that no store wrote. */
  passTo(seq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq)
  }

  trim(): void {
    const { historyCountMax, historyBytesMax, historyAgeMaxMs, now } = this.#bounds
    const oldest = now() - historyAgeMaxMs
    while (this.#places.count > 0) {
      const { postedAt } = this.#places.at(0)
      if (this.#places.count <= historyCountMax && this.#bytes <= historyBytesMax && postedAt >= oldest) return
      this.#forget()
    }
  }

  #forget(): void {
    const { bytes, id, offset } = this.#places.at(0)
    this.#places.shift()
    this.#bytes -= bytes
    if (id !== undefined && this.#offsets.get(id) === offset) this.#offsets.delete(id)
  }

  #restart(head: number): void {
    this.#places = new EntryQueue(head)
    this.#offsets = new Map()
    this.#bytes = 0
  }
}
