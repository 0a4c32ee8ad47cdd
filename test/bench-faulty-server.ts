import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { MessageType } from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import { type WebSocket, WebSocketServer } from 'ws'
import { channelClient, messagePackClient } from '../bench/src/contender.ts'
import type { DriverOptions } from '../bench/src/driver.ts'
import { createMessage, type Message, signalRFrame } from '../bench/src/servers/envelope.ts'
import { createPostServer, type Served, serve } from '../bench/src/servers/post-endpoint.ts'

/** A transport and a codec that the driver can be asked for. */
export interface Wire {
  readonly name: string
  readonly options: Partial<DriverOptions>
  /** How the driver names the end of a connection that the server closed. */
  readonly closed: string
  encode(message: Message): Buffer
}

const LONG_POLLING_CLOSED = 'closed by the server: HTTP/1.1 204 No Content'
const stock = new MessagePackHubProtocol()
const json = { encode: (message: Message): Buffer => Buffer.from(signalRFrame(message)) }
const messagePack = {
  encode: (message: Message): Buffer =>
    Buffer.from(
      stock.writeMessage({
        type: MessageType.Invocation,
        target: 'ServerMessage',
        arguments: [message],
        streamIds: [],
      }),
    ),
}

export const wires: readonly Wire[] = [
  { name: 'WebSocket, JSON', options: channelClient, closed: 'closed by the server: code 1011', ...json },
  {
    name: 'WebSocket, MessagePack',
    options: { ...channelClient, ...messagePackClient },
    closed: 'closed by the server: code 1011',
    ...messagePack,
  },
  {
    name: 'server-sent events, JSON',
    options: { ...channelClient, transport: 'server-sent-events' },
    closed: 'closed by the server: end of the events',
    ...json,
  },
  {
    name: 'long polling, JSON',
    options: { ...channelClient, transport: 'long-polling' },
    closed: LONG_POLLING_CLOSED,
    ...json,
  },
  {
    name: 'long polling, MessagePack',
    options: { ...channelClient, transport: 'long-polling', ...messagePackClient },
    closed: LONG_POLLING_CLOSED,
    ...messagePack,
  },
]

/** A client of a server that can make mistakes. */
export interface FaultyClient {
  /** Sends one message, in as many pieces as its transport is to carry it in. */
  send(...pieces: readonly Buffer[]): void
  close(): void
}

/** Sends the message with this number, counted from 1, to the first client; all others get all messages. */
export type SendToFirst = (client: FaultyClient, message: Buffer, number: number) => void

/** A server for all transports at once that makes mistakes with its first client. */
export function startFaultyServer(wire: Wire, sendToFirst: SendToFirst): Promise<Served> {
  let number = 0
  const clients: FaultyClient[] = []
  const posts = createPostServer(({ sender, body }) => {
    number += 1
    const message = createMessage(sender, body)
    const [first, ...others] = clients
    for (const client of others) client.send(wire.encode(message))
    if (first) sendToFirst(first, wire.encode(message), number)
    return { position: message.Position }
  })
  const hub = createHub(clients)
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/msg')) hub(request, response)
    else posts.emit('request', request, response)
  })
  const webSockets = new WebSocketServer({ noServer: true })
  webSockets.on('connection', (socket) => {
    socket.once('message', (_, isBinary) => {
      socket.send(HANDSHAKE_ANSWER, { binary: isBinary })
      clients.push(createWebSocketClient(socket, isBinary))
    })
  })
  server.on('upgrade', (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (client) => webSockets.emit('connection', client, request))
  })
  return serve(server, () => {
    for (const client of webSockets.clients) client.terminate()
  })
}

const HANDSHAKE_ANSWER = Buffer.from('{}\x1e')

function createWebSocketClient(socket: WebSocket, binary: boolean): FaultyClient {
  return {
    send(...pieces) {
      for (const [index, piece] of pieces.entries()) socket.send(piece, { binary, fin: index === pieces.length - 1 })
    },
    close: () => socket.close(1011),
  }
}

/** Negotiation, server-sent events and long polling. */
function createHub(clients: FaultyClient[]): (request: IncomingMessage, response: ServerResponse) => void {
  const streams = new Map<string, FaultyClient>()
  const polled = new Map<string, PolledClient>()
  let tokens = 0
  return (request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost')
    const token = url.searchParams.get('id') ?? ''
    const client = streams.get(token) ?? polled.get(token)
    if (url.pathname === '/msg/negotiate') {
      tokens += 1
      response.end(JSON.stringify({ connectionId: 'public', connectionToken: `token-${tokens}` }))
    } else if (request.method === 'POST') {
      // The handshake. Its answer comes before all messages.
      client?.send(HANDSHAKE_ANSWER)
      if (client) clients.push(client)
      request.resume().once('end', () => response.end())
    } else if (request.headers.accept === 'text/event-stream') {
      streams.set(token, createStreamClient(response))
    } else {
      const known = polled.get(token)
      if (known) known.poll(response)
      else {
        polled.set(token, createPolledClient())
        response.end()
      }
    }
  }
}

function createStreamClient(response: ServerResponse): FaultyClient {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  response.write(':\r\n')
  return {
    send(...pieces) {
      response.write('data: ')
      for (const piece of pieces) response.write(piece)
      response.write('\r\n\r\n')
    },
    close: () => response.end(),
  }
}

interface PolledClient extends FaultyClient {
  poll(response: ServerResponse): void
}

function createPolledClient(): PolledClient {
  let waiting: Buffer[] = []
  let isClosed = false
  let polling: ServerResponse | undefined
  const answer = (): void => {
    if (!polling || (waiting.length === 0 && !isClosed)) return
    if (isClosed) polling.writeHead(204)
    // Each write is a chunk of its own.
    else for (const piece of waiting) polling.write(piece)
    polling.end()
    polling = undefined
    waiting = []
  }
  return {
    send(...pieces) {
      waiting.push(...pieces)
      answer()
    },
    close() {
      isClosed = true
      answer()
    },
    poll(response) {
      polling = response
      answer()
    },
  }
}
