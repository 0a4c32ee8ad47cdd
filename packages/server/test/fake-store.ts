import { type Draft, type Entry, toEntry } from '../src/channel/entry.ts'
import type { Appended, LogFollower, LogState, Store, StoreRead } from '../src/channel/store.ts'

/** A log in an array whose accidents the test decides: reads that take their time, failures, lost history, new epochs. */
export class FakeStore implements Store {
  readonly durability = 'logged'
  trouble: string | undefined
  readonly signals: string[] = []
  /** Made to fail the next append, or every read. */
  appendError: Error | undefined
  /** The next append is done, and then fails: whoever posted can't know. */
  errorAfterAppend: Error | undefined
  readError: unknown
  /** A fault to be found: what is acknowledged is appended later, by `writeLate`. */
  acknowledgesEarly = false
  /** Reads and how far each one went. */
  readonly reads: { readonly after: number; readonly count: number }[] = []
  isClosed = false
  #epoch: string
  #trimmedTo = 0
  #head = 0
  #entries: Entry[] = []
  #follower: LogFollower | undefined
  #heldReads: (() => void)[] | undefined
  #heldAppends: { readonly run: () => void; readonly fail: (error: Error) => void }[] | undefined
  #unwritten: Draft[] = []

  constructor(epoch = 'epoch-1') {
    this.#epoch = epoch
  }

  open(follower: LogFollower): Promise<LogState> {
    this.#follower = follower
    return Promise.resolve(this.state())
  }

  append(drafts: readonly Draft[]): Promise<Appended> {
    const held = this.#heldAppends
    if (!held) return this.#append(drafts)
    return new Promise((resolve, reject) => {
      held.push({ run: () => void this.#append(drafts).then(resolve, reject), fail: reject })
    })
  }

  #append(drafts: readonly Draft[]): Promise<Appended> {
    const { appendError, errorAfterAppend } = this
    this.appendError = undefined
    if (appendError !== undefined) return Promise.reject(appendError)
    if (this.acknowledgesEarly) {
      this.#unwritten.push(...drafts)
      const head = this.#head + this.#unwritten.length - drafts.length
      return this.#appended(drafts.map((_, index) => head + index + 1))
    }
    this.errorAfterAppend = undefined
    const entries = this.#write(drafts)
    if (errorAfterAppend !== undefined) return Promise.reject(errorAfterAppend)
    return this.#appended(entries.map(({ offset }) => offset))
  }

  #appended(offsets: readonly number[]): Promise<Appended> {
    return Promise.resolve({ epoch: this.#epoch, offsets, durability: 'logged' })
  }

  signal(text: string): Promise<void> {
    this.signals.push(text)
    return Promise.resolve()
  }

  /** Another node said this. */
  hear(text: string): void {
    this.#follower?.onSignal(text)
  }

  #write(drafts: readonly Draft[]): readonly Entry[] {
    const entries = drafts.map((draft) => toEntry(draft, ++this.#head))
    this.#entries.push(...entries)
    this.#follower?.onEntries(entries)
    return entries
  }

  async read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    if (this.#heldReads) await new Promise<void>((resolve) => this.#heldReads?.push(resolve))
    if (this.readError !== undefined) throw this.readError as Error
    if (after < this.#trimmedTo) return { entries: [], isTrimmed: true }
    const entries: Entry[] = []
    let bytes = 0
    for (const entry of this.#entries) {
      if (entry.offset <= after) continue
      bytes += entry.bytes
      if (entries.length > 0 && (bytes > bytesMax || entries.length === countMax)) break
      entries.push(entry)
    }
    this.reads.push({ after, count: entries.length })
    return { entries, isTrimmed: false }
  }

  state(): LogState {
    return { epoch: this.#epoch, head: this.#head, trimmedTo: this.#trimmedTo }
  }

  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }

  /** History up to the offset is gone. */
  trimTo(offset: number): void {
    this.#trimmedTo = Math.max(this.#trimmedTo, offset)
    this.#entries = this.#entries.filter((entry) => entry.offset > offset)
  }

  /** The log is lost or rewound, and goes on under another name. */
  beginEpoch(epoch: string, head: number): void {
    this.#epoch = epoch
    this.#head = head
    this.#trimmedTo = head
    this.#entries = []
    this.#follower?.onEpoch(this.state())
  }

  /** This node was cut off, and history does not reach back to what it saw: the log goes on here, in the same epoch. */
  skipTo(head: number): void {
    this.beginEpoch(this.#epoch, head)
  }

  /** Appends wait until `releaseAppends`. */
  holdAppends(): void {
    this.#heldAppends ??= []
  }

  releaseAppends(): void {
    const held = this.#heldAppends
    this.#heldAppends = undefined
    for (const { run } of held ?? []) run()
  }

  /** Appends what was acknowledged early. */
  writeLate(): void {
    if (this.#unwritten.length > 0) this.#write(this.#unwritten.splice(0))
  }

  /** The process dies: what waits to be appended never is. @returns how much of that was acknowledged */
  crash(error: Error): number {
    const held = this.#heldAppends
    this.#heldAppends = undefined
    for (const { fail } of held ?? []) fail(error)
    this.releaseReads()
    return this.#unwritten.splice(0).length
  }

  /** Reads wait until `releaseReads`. */
  holdReads(): void {
    this.#heldReads ??= []
  }

  get heldReadCount(): number {
    return this.#heldReads?.length ?? 0
  }

  releaseReads(): void {
    const held = this.#heldReads
    this.#heldReads = undefined
    for (const release of held ?? []) release()
  }

  /** Lets the oldest held read go on; those after it wait. */
  releaseOneRead(): void {
    this.#heldReads?.shift()?.()
  }
}
