import { createMessage, signalRFrame } from './envelope.ts'
import { createPostServer, type Served } from './post-endpoint.ts'
import { createWebSockets, serveWebSockets } from './web-sockets.ts'

/** What one would write without thinking of speed: a loop of `ws.send(text)`, with SignalR's handshake and envelope. */
export function startWsLoop(): Promise<Served> {
  const webSockets = createWebSockets((client) => client.once('message', () => client.send('{}\x1e')))
  const server = createPostServer(({ sender, body }) => {
    const message = createMessage(sender, body)
    const text = signalRFrame(message)
    for (const client of webSockets.clients) client.send(text)
    return { position: message.Position }
  })
  return serveWebSockets(server, webSockets)
}
