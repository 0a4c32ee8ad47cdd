import type { Socket } from 'node:net'
import type { DirectWrites } from '../options.ts'
import { type HandleWriter, type HandleWrites, NOT_WRITTEN } from './handle-writes.ts'
import { provenHandleWrites } from './handle-writes-proof.ts'

/** Writes to sockets in the cheapest way that is sound. */
export class SocketWriter {
  /** Whether it writes below streams, once that is known. */
  readonly isDirect: Promise<boolean>
  #handleWrites: HandleWrites | undefined

  constructor(directWrites: DirectWrites) {
    this.isDirect = directWrites === 'off' ? Promise.resolve(false) : this.#prove()
  }

  /** @returns the bytes of which `writer` is told later; of any others the socket itself tells */
  write(socket: Socket, data: Buffer, writer: HandleWriter): number {
    const pendingBytes = this.#handleWrites?.write(socket, data, writer) ?? NOT_WRITTEN
    if (pendingBytes !== NOT_WRITTEN) return pendingBytes
    socket.write(data)
    return 0
  }

  async #prove(): Promise<boolean> {
    this.#handleWrites = await provenHandleWrites()
    return this.#handleWrites !== undefined
  }
}
