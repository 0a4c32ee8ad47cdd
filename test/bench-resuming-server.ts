import { type WebSocket, WebSocketServer } from 'ws'
import { createMessage, type Message, signalRFrame } from '../bench/src/servers/envelope.ts'
import { createPostServer, type Served, serve } from '../bench/src/servers/post-endpoint.ts'

/** What a client is sent when it comes back: frames, then the state. */
export interface Resumption {
  readonly frames: readonly string[]
  readonly state: { readonly recovered: boolean; readonly reason?: string }
}

/** The mistakes of a server; each is made with the client of this number. */
export interface Mistakes {
  readonly client: number
  /** What is sent of what the client missed. */
  resume?(missed: readonly string[]): Resumption
  /** What is done with its upgrade where it says a position, for the try of this number, counted from 1. */
  upgrade?(tries: number): 'taken' | 'reset' | 'refused'
  /** Sends one message, the number of which counts from 1. */
  send?(socket: WebSocket, frame: string, number: number): void
}

const EPOCH = 'resuming'

/** A server with a log and positions, as ours on the wire, that can make mistakes. Clients say their number as `n`. */
export function startResumingServer(mistakes: Mistakes): Promise<Served> {
  const log: string[] = []
  let tries = 0
  const clients = new Map<WebSocket, number>()
  const webSockets = new WebSocketServer({ noServer: true })
  const server = createPostServer(({ sender, body }) => {
    const position = `${EPOCH}:${log.length + 1}`
    const message: Message = { ...createMessage(sender, body), Position: position }
    const frame = signalRFrame(message)
    log.push(frame)
    for (const [socket, client] of clients) {
      if (mistakes.send && client === mistakes.client) mistakes.send(socket, frame, log.length)
      else socket.send(frame)
    }
    return { position }
  })
  server.on('upgrade', (request, socket, head) => {
    // A client that is cut off resets its connection.
    socket.on('error', () => socket.destroy())
    const query = new URL(request.url ?? '', 'http://localhost').searchParams
    const client = Number(query.get('n'))
    if (client === mistakes.client && query.get('position') && mistakes.upgrade) {
      const answer = mistakes.upgrade(++tries)
      if (answer === 'refused') socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n')
      if (answer === 'reset') socket.destroy()
      if (answer !== 'taken') return
    }
    webSockets.handleUpgrade(request, socket, head, (opened) => {
      opened.on('error', () => opened.terminate())
      opened.on('close', () => clients.delete(opened))
      opened.once('message', () => {
        opened.send('{}\x1e')
        const position = query.get('position') ?? ''
        const resumption = position === '' ? undefined : resumptionOf(client, log.slice(Number(position.split(':')[1])))
        for (const frame of resumption?.frames ?? []) opened.send(frame)
        opened.send(stateFrame(log.length, resumption?.state))
        clients.set(opened, client)
      })
    })
  })
  const resumptionOf = (client: number, missed: readonly string[]): Resumption =>
    mistakes.resume && client === mistakes.client
      ? mistakes.resume(missed)
      : { frames: missed, state: { recovered: true } }
  return serve(server, () => {
    for (const client of webSockets.clients) client.terminate()
  })
}

function stateFrame(offset: number, state: object | undefined): string {
  return `${JSON.stringify({ type: 1, target: 'ChannelState', arguments: [{ epoch: EPOCH, offset, ...state }] })}\x1e`
}
