import type { Descriptors } from './descriptors.ts'
import type { Handle, HandleWriter, HandleWrites } from './handle-writes.ts'
import { BATCH_MAX, type WriteBatch } from './write-batch.ts'

/** Of the package `@serverchannel/native`. */
export type SendAll = (
  fds: Int32Array,
  pieces: readonly Buffer[],
  which: Uint8Array,
  count: number,
  taken: Int32Array,
) => number

/**
 * Gives the kernel all pieces of a turn in one call, by the descriptors of their sockets. What it does not take at once
 * goes to the handles, which wait for it.
 */
export class DescriptorBatch implements WriteBatch {
  readonly #writes: HandleWrites
  readonly #descriptors: Descriptors
  readonly #sendAll: SendAll
  readonly #fds = new Int32Array(BATCH_MAX)
  readonly #which = new Uint8Array(BATCH_MAX)
  readonly #taken = new Int32Array(BATCH_MAX)
  /** Each is there once for all that follow each other. */
  #pieces: Buffer[] = []
  #last: Buffer | undefined
  #handles: Handle[] = []
  #writers: HandleWriter[] = []
  #count = 0

  constructor(writes: HandleWrites, descriptors: Descriptors, sendAll: SendAll) {
    this.#writes = writes
    this.#descriptors = descriptors
    this.#sendAll = sendAll
  }

  get count(): number {
    return this.#count
  }

  add(handle: Handle, bytes: Buffer, writer: HandleWriter): void {
    if (!this.#descriptors.isOwn(writer.descriptor, writer)) {
      this.#writes.write(handle, bytes, writer)
      return
    }
    const index = this.#count++
    if (bytes !== this.#last) {
      this.#last = bytes
      this.#pieces.push(bytes)
    }
    this.#fds[index] = writer.descriptor
    this.#which[index] = this.#pieces.length - 1
    this.#handles.push(handle)
    this.#writers.push(writer)
  }

  writeAll(): void {
    const count = this.#count
    const pieces = this.#pieces
    const handles = this.#handles
    const writers = this.#writers
    this.#count = 0
    this.#last = undefined
    this.#pieces = []
    this.#handles = []
    this.#writers = []
    if (this.#sendAll(this.#fds, pieces, this.#which, count, this.#taken) === 0) return
    // All of it before any writer is told of something: that one may write again.
    const left: { readonly handle: Handle; readonly bytes: Buffer; readonly writer: HandleWriter }[] = []
    for (const [index, writer] of writers.entries()) {
      const handle = handles[index]
      const bytes = pieces[this.#which[index] ?? 0]
      const taken = this.#taken[index] ?? 0
      if (handle && bytes && taken < bytes.length) left.push({ handle, bytes: bytes.subarray(taken), writer })
    }
    for (const { handle, bytes, writer } of left) this.#writes.write(handle, bytes, writer)
  }
}
