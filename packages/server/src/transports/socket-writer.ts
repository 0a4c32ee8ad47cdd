import type { Socket } from 'node:net'
import type { DirectWrites } from '../options.ts'
import type { Handle, HandleWriter, HandleWrites } from './handle-writes.ts'
import { provenHandleWrites } from './handle-writes-proof.ts'

/** So few that what they touch stays in the processor's caches between the two loops. */
const WAITING_MAX = 128

/**
 * Writes to sockets in the cheapest way that is sound. What is written in a turn is kept until the turn's code has run,
 * at most one piece for each socket, and then goes to the kernel in one loop: between two system calls, which drive
 * what a connection needs out of the processor's caches, little is then left to do.
 */
export class SocketWriter {
  /** Whether it writes below streams, once that is known. */
  readonly isDirect: Promise<boolean>
  #handleWrites: HandleWrites | undefined
  /** Of what waits: of each the handle, the bytes and who wrote them, at the same index. */
  #handles: Handle[] = []
  #pieces: Buffer[] = []
  #writers: HandleWriter[] = []
  #turn = 0

  constructor(directWrites: DirectWrites) {
    this.isDirect = directWrites === 'off' ? Promise.resolve(false) : this.#prove()
  }

  /** The number of what waits now: another one means that what waited has been written. */
  get turn(): number {
    return this.#turn
  }

  /** What can be written to below the socket's stream until somebody writes to the stream; undefined: nothing. */
  handleOf(socket: Socket): Handle | undefined {
    return this.#handleWrites?.handleOf(socket)
  }

  /** Writes when this turn's code has run. A writer for which something waits has to `flush` first. */
  write(handle: Handle, bytes: Buffer, writer: HandleWriter): void {
    if (this.#handles.push(handle) === 1) queueMicrotask(this.#run)
    this.#pieces.push(bytes)
    this.#writers.push(writer)
    if (this.#handles.length === WAITING_MAX) this.flush()
  }

  /** Writes all that waits. */
  flush(): void {
    const handleWrites = this.#handleWrites
    if (this.#handles.length === 0 || !handleWrites) return
    const handles = this.#handles
    const pieces = this.#pieces
    const writers = this.#writers
    this.#handles = []
    this.#pieces = []
    this.#writers = []
    this.#turn++
    handleWrites.writeAll(handles, pieces, writers)
  }

  readonly #run = (): void => this.flush()

  async #prove(): Promise<boolean> {
    this.#handleWrites = await provenHandleWrites()
    return this.#handleWrites !== undefined
  }
}
