import type { EndingHandle, Handle, HandleWriter } from './handle-writes.ts'

/**
 * Who may write to which descriptor by its number. A number belongs to somebody else as soon as its socket is closed: so
 * closing a handle, whoever does it, first writes what waits, and then takes the number from its owner.
 */
export class Descriptors {
  /** At the descriptor. */
  readonly #owners: (HandleWriter | undefined)[] = []
  /** What has to run before any handle is closed. */
  readonly waiting: Set<() => void> = new Set()

  /** @param prototype of the handles of sockets; `close` and `reset` are how they end, and both belong to Node alone */
  constructor(prototype: EndingHandle) {
    for (const end of ['close', 'reset'] as const) {
      const original = prototype[end]
      if (typeof original !== 'function') throw new Error(`Handles have no '${end}'.`)
      const release = (handle: Handle): void => this.#release(handle)
      const ending = function (this: Handle, ...args: unknown[]): unknown {
        release(this)
        return Reflect.apply(original, this, args)
      }
      prototype[end] = ending
    }
  }

  /** From here on the writer may write to the handle's descriptor, until the handle is closed. @returns the descriptor */
  own(handle: Handle, writer: HandleWriter): number {
    const { fd } = handle
    if (!(fd >= 0)) return -1
    this.#owners[fd] = writer
    return fd
  }

  isOwn(fd: number, writer: HandleWriter): boolean {
    return this.#owners[fd] === writer
  }

  #release(handle: Handle): void {
    for (const write of this.waiting) write()
    const { fd } = handle
    if (fd >= 0) this.#owners[fd] = undefined
  }
}
