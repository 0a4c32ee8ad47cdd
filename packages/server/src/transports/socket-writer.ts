import type { Socket } from 'node:net'
import type { DirectWrites } from '../options.ts'
import type { Descriptors } from './descriptors.ts'
import type { Handle, HandleWriter, HandleWrites } from './handle-writes.ts'
import { provenWrites } from './proven-writes.ts'
import { BATCH_MAX, type WriteBatch } from './write-batch.ts'

/**
 * Writes to sockets in the cheapest way that is sound. What is written in a turn is kept until the turn's code has run,
 * at most one piece for each socket, and then goes to the kernel in one loop: between two system calls, which drive
 * what a connection needs out of the processor's caches, little is then left to do.
 */
export class SocketWriter {
  /** How it writes, once that is known. */
  readonly way: Promise<WritesWay>
  #handleWrites: HandleWrites | undefined
  #descriptors: Descriptors | undefined
  #createBatch: (() => WriteBatch) | undefined
  #batch: WriteBatch | undefined
  /** What is written may write again. */
  #spare: WriteBatch | undefined
  #turn = 0

  constructor(directWrites: DirectWrites) {
    this.way = directWrites === 'off' ? Promise.resolve('streams') : this.#prove(directWrites)
  }

  /** The number of what waits now: another one means that what waited has been written. */
  get turn(): number {
    return this.#turn
  }

  /** What the writer can write to below the socket's stream until somebody writes to the stream; undefined: nothing. */
  handleOf(socket: Socket, writer: HandleWriter): Handle | undefined {
    const handle = this.#handleWrites?.handleOf(socket)
    if (handle && this.#descriptors) writer.descriptor = this.#descriptors.own(handle, writer)
    return handle
  }

  /** Writes when this turn's code has run. A writer for which something waits has to `flush` first. */
  write(handle: Handle, bytes: Buffer, writer: HandleWriter): void {
    const batch = this.#batch
    if (!batch) return
    batch.add(handle, bytes, writer)
    if (batch.count === 1) {
      queueMicrotask(this.#run)
      this.#descriptors?.waiting.add(this.#run)
    } else if (batch.count === BATCH_MAX) this.flush()
  }

  /** Writes all that waits. */
  flush(): void {
    const batch = this.#batch
    if (!batch || batch.count === 0) return
    this.#batch = this.#spare ?? this.#createBatch?.()
    this.#spare = undefined
    this.#turn++
    this.#descriptors?.waiting.delete(this.#run)
    batch.writeAll()
    this.#spare = batch
  }

  readonly #run = (): void => this.flush()

  async #prove(wanted: DirectWrites): Promise<WritesWay> {
    const proven = await provenWrites(wanted === 'auto')
    if (!proven) return 'streams'
    this.#handleWrites = proven.handleWrites
    this.#descriptors = proven.descriptors
    this.#createBatch = () => proven.createBatch()
    this.#batch = proven.createBatch()
    return proven.descriptors ? 'native' : 'handles'
  }
}

/** `native`: a turn in one call of `@serverchannel/native`; `handles`: Node's handles; `streams`: sockets as they are. */
export type WritesWay = 'native' | 'handles' | 'streams'
