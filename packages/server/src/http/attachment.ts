import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** What an attachment asks first; a false answer passes the request on to the server's own listeners. */
export interface Interceptor {
  handle(request: IncomingMessage, response: ServerResponse): boolean
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
}

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * Puts the interceptor before an `http.Server`'s own listeners, whatever framework they are of. To be called after the
 * framework has put its listeners there.
 *
 * @returns takes it off again, and puts the server's own listeners back
 */
export function attachTo(server: Server, interceptor: Interceptor): () => void {
  const requestListeners = server.listeners('request') as RequestListener[]
  const upgradeListeners = server.listeners('upgrade') as UpgradeListener[]
  const onRequest: RequestListener = (request, response) => {
    if (interceptor.handle(request, response)) return
    for (const listener of requestListeners) listener.call(server, request, response)
  }
  const onUpgrade: UpgradeListener = (request, socket, head) => {
    if (interceptor.upgrade(request, socket, head)) return
    for (const listener of upgradeListeners) listener.call(server, request, socket, head)
    // Without a listener of its own the server would have answered this as a plain request; nobody does now.
    if (upgradeListeners.length === 0 && server.listenerCount('upgrade') === 1) refuse(socket)
  }
  server.removeAllListeners('request').on('request', onRequest)
  server.removeAllListeners('upgrade').on('upgrade', onUpgrade)
  return () => {
    server.off('request', onRequest).off('upgrade', onUpgrade)
    for (const listener of requestListeners) server.on('request', listener)
    for (const listener of upgradeListeners) server.on('upgrade', listener)
  }
}

function refuse(socket: Duplex): void {
  socket.on('error', () => {})
  socket.once('finish', () => socket.destroy())
  socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}
