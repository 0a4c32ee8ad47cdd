import type { Server } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Served, serve } from './post-endpoint.ts'

/** A `ws` server without compression; each client is given to `onOpen`. */
export function createWebSockets(onOpen: (client: WebSocket) => void): WebSocketServer {
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  webSockets.on('connection', (client) => {
    client.on('error', () => client.terminate())
    onOpen(client)
  })
  return webSockets
}

/** Takes upgrades of any path on a free port of the loopback address. */
export function serveWebSockets(server: Server, webSockets: WebSocketServer): Promise<Served> {
  server.on('upgrade', (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (client) => webSockets.emit('connection', client, request))
  })
  return serve(server, () => {
    for (const client of webSockets.clients) client.terminate()
  })
}
