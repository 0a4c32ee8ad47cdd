import type { EndingHandle, Handle, HandleEnd, HandleWriter } from './handle-writes.ts'

/**
 * Who may write to which descriptor by its number. A number belongs to somebody else as soon as its socket is closed: so
 * closing a handle, whoever does it, first writes what waits, and then takes the number from its owner.
 */
export class Descriptors {
  /** At the descriptor. */
  readonly #owners: (HandleWriter | undefined)[] = []
  /** What has to run before any handle is closed. */
  readonly waiting: Set<() => void> = new Set()

  /**
   * @param prototype of the handles of sockets; `close` and `reset` are how they end, and both belong to Node alone
   * @returns undefined where they end in other ways in this Node, and nothing is touched
   */
  static guard(prototype: EndingHandle): Descriptors | undefined {
    const { close, reset } = prototype
    if (typeof close !== 'function' || typeof reset !== 'function') return undefined
    const descriptors = new Descriptors()
    prototype.close = descriptors.#before(close)
    prototype.reset = descriptors.#before(reset)
    return descriptors
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

  #before(end: HandleEnd): HandleEnd {
    const release = (handle: Handle): void => this.#release(handle)
    return function (this: Handle, ...args) {
      release(this)
      return Reflect.apply(end, this, args)
    }
  }

  #release(handle: Handle): void {
    for (const write of this.waiting) write()
    const { fd } = handle
    if (fd >= 0) this.#owners[fd] = undefined
  }
}
