import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Connections on which no request has come yet. Clients open one ahead (Node's own does), and a server that is closed
 * waits for it: to Node it is neither idle nor in use.
 */
export class UnusedSockets {
  readonly #sockets = new Set<Socket>()

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', this.#onClose)
    })
    // Before whoever answers it.
    server.prependListener('request', (request: IncomingMessage) => this.#used(request.socket))
    server.prependListener('upgrade', (request: IncomingMessage) => this.#used(request.socket))
  }

  destroyAll(): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
  }

  #used(socket: Socket): void {
    if (this.#sockets.delete(socket)) socket.off('close', this.#onClose)
  }

  /** One function for all: a connection may be open for long. */
  readonly #onClose = this.#forget.bind(this)

  #forget(): void {
    for (const socket of this.#sockets) if (socket.destroyed) this.#sockets.delete(socket)
  }
}
