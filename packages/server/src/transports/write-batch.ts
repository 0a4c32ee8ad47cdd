import type { Handle, HandleWriter, HandleWrites } from './handle-writes.ts'

/** Of a batch, which is then to be written: so few that what they touch stays in the processor's caches between the two loops. */
export const BATCH_MAX = 128

/** What is written in a turn: of each piece the handle, the bytes and who wrote them. */
export interface WriteBatch {
  /** How many wait. */
  readonly count: number
  add(handle: Handle, bytes: Buffer, writer: HandleWriter): void
  /** Writes all of it; the batch is empty then. */
  writeAll(): void
}

/** Writes to one handle after the other. */
export class HandleBatch implements WriteBatch {
  readonly #writes: HandleWrites
  #handles: Handle[] = []
  #pieces: Buffer[] = []
  #writers: HandleWriter[] = []

  constructor(writes: HandleWrites) {
    this.#writes = writes
  }

  get count(): number {
    return this.#handles.length
  }

  add(handle: Handle, bytes: Buffer, writer: HandleWriter): void {
    this.#handles.push(handle)
    this.#pieces.push(bytes)
    this.#writers.push(writer)
  }

  writeAll(): void {
    const handles = this.#handles
    const pieces = this.#pieces
    const writers = this.#writers
    this.#handles = []
    this.#pieces = []
    this.#writers = []
    for (const [index, handle] of handles.entries()) {
      const bytes = pieces[index]
      const writer = writers[index]
      if (bytes && writer) this.#writes.write(handle, bytes, writer)
    }
  }
}
