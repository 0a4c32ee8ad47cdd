import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

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
    const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket'
    if (isWebSocket && interceptor.upgrade(request, socket, head)) return
    for (const listener of upgradeListeners) listener.call(server, request, socket, head)
    // Without a listener of its own the server would have answered this as a plain request; nobody does now.
    if (upgradeListeners.length > 0 || server.listenerCount('upgrade') > 1) return
    if (isWebSocket) refuse(socket)
    else handBack(server, request, socket, head)
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

/**
 * Gives the server a request once more, without the offer to go on in another protocol: many an HTTP client makes one
 * with its first request (Java's, and curl with `--http2`), and is answered as if it had not. Node does so itself as
 * long as a server has no listener for upgrades.
 */
function handBack(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (!OFFER_HEADERS.has(name.toLowerCase())) text += `${name}: ${rawHeaders[i + 1] ?? ''}\r\n`
  }
  if (/\bclose\b/i.test(request.headers.connection ?? '')) text += 'Connection: close\r\n'
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket)
}

const OFFER_HEADERS: ReadonlySet<string> = new Set(['connection', 'upgrade', 'http2-settings'])
