import { Server } from 'socket.io'
import { createMessage } from './envelope.ts'
import { createPostServer, type Served, serve } from './post-endpoint.ts'

/** Socket.IO as its documentation sets it up, for WebSocket only: `io.emit` to all, and a listener that acknowledges. */
export async function startSocketIo(): Promise<Served> {
  const server = createPostServer(({ sender, body }) => {
    const message = createMessage(sender, body)
    io.emit('ServerMessage', message)
    return { position: message.Position }
  })
  const io = new Server(server, { transports: ['websocket'], serveClient: false })
  io.on('connection', (socket) => {
    socket.on('Echo', (text: string, acknowledge: (text: string) => void) => acknowledge(text))
  })
  return serve(server, () => io.disconnectSockets(true))
}
