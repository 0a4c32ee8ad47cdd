import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** So many are held before it is looked which of them are in use by now. */
const SWEPT_AT_LEAST = 64

/**
 * Connections on which nothing has come yet. Clients open one ahead (Node's own does), and a server that is closed
 * waits for it: to Node it is neither idle nor in use.
 *
 * It listens to no requests: another listener for upgrades would be taken for one that answers them.
 */
export class UnusedSockets {
  readonly #sockets = new Set<Socket>()
  #sweptAt = SWEPT_AT_LEAST
  /** One function for all: a connection may be open for long. */
  readonly #onClose: (this: Socket) => void

  constructor(server: Server) {
    const sockets = this.#sockets
    this.#onClose = function () {
      sockets.delete(this)
    }
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', this.#onClose)
      if (sockets.size >= this.#sweptAt) this.#sweep()
    })
  }

  destroyAll(): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
  }

  /** Lets go of those that are in use. Twice as many as are left have to come before the next time, so each costs little. */
  #sweep(): void {
    for (const socket of this.#sockets) {
      if (socket.bytesRead === 0) continue
      this.#sockets.delete(socket)
      socket.off('close', this.#onClose)
    }
    this.#sweptAt = Math.max(SWEPT_AT_LEAST, this.#sockets.size * 2)
  }
}
