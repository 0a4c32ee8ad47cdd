import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Connections on which no request has come yet. Clients open one ahead (Node's own does), and a server that is closed
 * waits for it: to Node it is neither idle nor in use.
 */
export class UnusedSockets {
  readonly #sockets = new Set<Socket>()

  constructor(server: Server) {
    const sockets = this.#sockets
    // One function for all: a connection may be open for long.
    function forget(this: Socket): void {
      sockets.delete(this)
    }
    const use = ({ socket }: IncomingMessage): void => {
      if (sockets.delete(socket)) socket.off('close', forget)
    }
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('close', forget)
    })
    // Before whoever answers it.
    server.prependListener('request', use)
    server.prependListener('upgrade', use)
  }

  destroyAll(): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
  }
}
