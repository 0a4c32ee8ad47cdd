import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ServerOptions, WebSocket } from 'ws'
import * as ws from 'ws'
import type { Chunk } from '../channel/chunk.ts'
import type { CloseCode, Transport, TransportListener } from '../channel/transport.ts'
import type { Limits } from '../options.ts'
import type { HandleWriter } from './handle-writes.ts'
import type { SocketWriter } from './socket-writer.ts'

const OPCODES = { Text: 1, Binary: 2 } as const
/** Pongs wait in memory while the peer doesn't read: above this many buffered bytes, its pings get none. */
const PONG_BUFFER_BYTES_MAX = 16_384

/**
 * Makes WebSockets of upgrade requests. The upgrade's own checks (method, key, version) are those of `ws`; bounds on
 * frames and fragments hold from the first byte.
 */
export class WebSocketAcceptor {
  readonly #server: ws.WebSocketServer
  readonly #writer: SocketWriter

  constructor(limits: Limits, writer: SocketWriter) {
    this.#writer = writer
    const options: ServerOptions & { readonly closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      // None of the subprotocols that a client may offer is spoken here (W3); ws would choose the first.
      handleProtocols: () => false,
      maxPayload: limits.receivedFrameBytesMax,
      maxFragments: limits.receivedFragmentsMax,
      closeTimeout: limits.closeTimeoutMs,
      WebSocket: CodedWebSocket,
    }
    this.#server = new ws.WebSocketServer(options)
    // A refused upgrade is answered by ws itself with 400 or 405 and the reason.
    this.#server.on('error', () => {})
  }

  /** Completes the upgrade. `onOpen` gets the transport once it is one. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, onOpen: (transport: Transport) => void): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      onOpen(new WebSocketTransport(webSocket, socket as Socket, this.#writer))
    })
  }
}

/** Answers a close frame without a code, as JavaScript clients send it, with 1000: ws would with none (SIGNALR 2.4 W4). */
class CodedWebSocket extends ws.WebSocket {
  override close(code: number = 1000, data?: string | Buffer): void {
    super.close(code, data)
  }
}

class WebSocketTransport implements Transport, HandleWriter {
  readonly name = 'WebSockets'
  readonly transferFormats = ['Text', 'Binary'] as const
  readonly hasKeepAlive = true
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #writer: SocketWriter
  #listener: TransportListener | undefined
  #writtenBytes = 0
  /** What was written below the socket's stream and the kernel has not taken: of one write at most. */
  #pendingBytes = 0
  #isEnding = false
  #opcode: number = OPCODES.Text

  constructor(webSocket: WebSocket, socket: Socket, writer: SocketWriter) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.#writer = writer
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
    this.#webSocket.on('message', (data: ws.RawData, isBinary: boolean) => {
      const bytes = toBuffer(data)
      listener.onData(isBinary ? bytes : bytes.toString())
    })
    this.#webSocket.on('ping', (data: Buffer) => {
      if (this.#socket.writableLength < PONG_BUFFER_BYTES_MAX) this.#webSocket.pong(data)
    })
    // ws ends the socket after an error, with the close code that fits; the close comes after it.
    this.#webSocket.on('error', ignore)
    this.#webSocket.on('close', (code: number) => {
      // Nobody said 1006: there was no close frame, of either end.
      const isLost = code === 1006 && !this.#isEnding
      this.#isEnding = true
      listener.onClose(isLost)
    })
    this.#socket.on('drain', () => listener.onDrain())
  }

  /** What is below the socket's own mark is on its way: the socket says `drain` only for what went above. */
  get bufferedBytes(): number {
    return this.#pendingBytes + (this.#socket.writableNeedDrain ? this.#socket.writableLength : 0)
  }

  get takenBytes(): number {
    return this.#writtenBytes - this.#pendingBytes - this.#socket.writableLength
  }

  /** The handshake's answer is of this format too (SIGNALR 2.4 W2). */
  useFormat(format: 'Text' | 'Binary'): void {
    this.#opcode = OPCODES[format]
  }

  /** Straight to the socket below ws: without compression ws keeps nothing back, so the order holds. */
  write(chunk: Chunk): void {
    if (this.#isEnding || !this.#socket.writable) return
    const frame = (chunk.webSocketFrame ??= frameOf(chunk.payload, this.#opcode))
    this.#writtenBytes += frame.length
    // What comes behind a write that waits below the stream waits in the stream, which says when to go on.
    if (this.#pendingBytes > 0) this.#socket.write(frame)
    else this.#pendingBytes = this.#writer.write(this.#socket, frame, this)
  }

  onTaken(): void {
    this.#pendingBytes = 0
    if (!this.#socket.writableNeedDrain) this.#listener?.onDrain()
  }

  close(code: CloseCode): void {
    this.#isEnding = true
    this.#webSocket.close(code)
  }

  abort(): void {
    this.#isEnding = true
    this.#webSocket.terminate()
  }

  pause(): void {
    this.#webSocket.pause()
  }

  resume(): void {
    this.#webSocket.resume()
  }
}

/** Exported by ws, not by its types. */
const { Sender } = ws as unknown as {
  readonly Sender: { frame(data: Buffer, options: FrameOptions): readonly Buffer[] }
}

interface FrameOptions {
  readonly fin: boolean
  readonly rsv1: boolean
  readonly opcode: number
  readonly mask: boolean
  readonly readOnly: boolean
}

function frameOf(payload: Buffer, opcode: number): Buffer {
  const parts = Sender.frame(payload, { fin: true, rsv1: false, opcode, mask: false, readOnly: true })
  return Buffer.concat(parts)
}

function ignore(): void {}

function toBuffer(data: ws.RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
