import { hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { Transport } from '../channel/transport.ts'
import type { Limits } from '../options.ts'
import { FrameReaders } from './frame-reader.ts'
import type { SocketWriter } from './socket-writer.ts'
import { type WebSocketParts, WebSocketTransport } from './websocket-transport.ts'
import { subprotocol } from './ws-parts.ts'

/** Makes WebSockets of upgrade requests. Bounds on frames and fragments hold from the first byte. */
export class WebSocketAcceptor {
  readonly #parts: WebSocketParts
  /** Says to those whose upgrade is none what is wrong with it: 400 or 405, and the reason. */
  readonly #refuser = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false })

  constructor(limits: Limits, writer: SocketWriter) {
    this.#parts = { writer, readers: new FrameReaders(limits), closeTimeoutMs: limits.closeTimeoutMs }
    this.#refuser.on('error', () => {})
  }

  /** Completes the upgrade. `onOpen` gets the transport once it is one. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, onOpen: (transport: Transport) => void): void {
    const key = keyOf(request)
    if (key === undefined) {
      this.#refuser.handleUpgrade(request, socket, head, (webSocket) => webSocket.terminate())
      return
    }
    // The client has gone already.
    if (!socket.readable || !socket.writable) {
      socket.destroy()
      return
    }
    const netSocket = socket as Socket
    // Where a server's sockets have a timeout, it is for requests.
    if (netSocket.timeout) netSocket.setTimeout(0)
    netSocket.setNoDelay()
    const transport = new WebSocketTransport(netSocket, head, this.#parts)
    transport.writeHead(answerTo(key))
    onOpen(transport)
  }
}

const KEY = /^[+/0-9A-Za-z]{22}==$/
const VERSIONS: readonly number[] = [13, 8]
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The key of an upgrade that is one, by the same rules as those of ws; undefined where it is none. Source: RFC 6455, 4.2. */
function keyOf({ method, headers }: IncomingMessage): string | undefined {
  const { 'sec-websocket-key': key, upgrade, 'sec-websocket-protocol': offered } = headers
  if (method !== 'GET' || upgrade?.toLowerCase() !== 'websocket') return undefined
  if (key === undefined || !KEY.test(key) || !VERSIONS.includes(Number(headers['sec-websocket-version']))) {
    return undefined
  }
  return offered === undefined || isSubprotocols(offered) ? key : undefined
}

function isSubprotocols(header: string): boolean {
  try {
    return subprotocol.parse(header).size > 0
  } catch {
    return false
  }
}

/** None of the subprotocols and extensions that a client may offer is spoken here (SIGNALR 2.4 W3). */
function answerTo(key: string): Buffer {
  const accept = hash('sha1', key + GUID, 'base64')
  return Buffer.from(`${ANSWER_BEGIN}${accept}\r\n\r\n`, 'latin1')
}

const ANSWER_BEGIN =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: '
