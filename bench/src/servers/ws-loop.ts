import { WebSocketServer } from 'ws'
import { createMessage, signalRFrame } from './envelope.ts'
import { createPostServer, type Served, serve } from './post-endpoint.ts'

/** What one would write without thinking of speed: a loop of `ws.send(text)`, with SignalR's handshake and envelope. */
export async function startWsLoop(): Promise<Served> {
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  webSockets.on('connection', (client) => {
    client.on('error', () => client.terminate())
    client.once('message', () => client.send('{}\x1e'))
  })
  const server = createPostServer(({ sender, body }) => {
    const message = createMessage(sender, body)
    const text = signalRFrame(message)
    for (const client of webSockets.clients) client.send(text)
    return { position: message.Position }
  })
  server.on('upgrade', (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (client) => webSockets.emit('connection', client, request))
  })
  return serve(server, () => {
    for (const client of webSockets.clients) client.terminate()
  })
}
