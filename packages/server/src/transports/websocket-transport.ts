import type { Socket } from 'node:net'
import type { Chunk } from '../channel/chunk.ts'
import type { CloseCode, Transport, TransportListener } from '../channel/transport.ts'
import type { FrameReader, FrameReaders, FrameTaker } from './frame-reader.ts'
import type { Handle, HandleWriter } from './handle-writes.ts'
import type { SocketWriter } from './socket-writer.ts'
import { closeFrame, frameOf, OPCODES } from './websocket-frame.ts'

/** Pongs wait in memory while the peer doesn't read: above this many buffered bytes, its pings get none. */
const PONG_BUFFER_BYTES_MAX = 16_384
const NORMAL = 1000
const NO_CODE = 1005
const NO_REASON = Buffer.alloc(0)
const TRANSFER_FORMATS = ['Text', 'Binary'] as const

/** What all WebSockets of an endpoint share. */
export interface WebSocketParts {
  readonly writer: SocketWriter
  readonly readers: FrameReaders
  readonly closeTimeoutMs: number
}

/**
 * `open`: messages flow. `closing`: the close frame went out, or an end of the socket is on its way, and the rest of it
 * is waited for. `closed`: the socket is gone.
 */
type WebSocketState = 'open' | 'closing' | 'closed'

/** Where a socket's listeners, which all sockets share, find whose it is. */
const carried = Symbol('carried')

interface CarryingSocket extends Socket {
  [carried]?: WebSocketTransport
}

/**
 * A WebSocket on a socket whose upgrade was answered. In place of that of ws, which is to be used alone: with a receiver,
 * a sender and their listeners for each, it takes twice the memory. Source: RFC 6455, 5 to 7.
 */
export class WebSocketTransport implements Transport, HandleWriter, FrameTaker {
  readonly #socket: CarryingSocket
  readonly #parts: WebSocketParts
  #listener: TransportListener | undefined
  #state: WebSocketState = 'open'
  /** In the middle of a message: who has read its begin. */
  #reader: FrameReader | undefined
  /** Nothing of the peer counts any more: its close frame has come, or it broke the protocol. */
  #isReadOut = false
  /** The peer has said that it goes. */
  #isConcluded = false
  /** Its own end has asked for the end. */
  #isEnding = false
  #hasSaidClose = false
  #closeTimer: NodeJS.Timeout | undefined
  #writtenBytes = 0
  /** What is written to, below the socket's stream; undefined: the stream is, or something waits there. */
  #handle: Handle | undefined
  /** Of the socket, while it may be written to: SocketWriter's. */
  descriptor = -1
  /** What was written below the socket's stream and the kernel has not taken: of one write at most. */
  #pendingBytes = 0
  /** The writer's turn in which it was last written to below the stream. */
  #turn = -1
  #opcode: number = OPCODES.Text

  /** @param head what the peer sent behind its request */
  constructor(socket: Socket, head: Buffer, parts: WebSocketParts) {
    this.#socket = socket
    this.#parts = parts
    this.#socket[carried] = this
    if (head.length > 0) socket.unshift(head)
    socket.on('data', onData).on('end', onEnd).on('drain', onDrain).on('error', onError).on('close', onClose)
  }

  get name(): 'WebSockets' {
    return 'WebSockets'
  }

  get transferFormats(): readonly ('Text' | 'Binary')[] {
    return TRANSFER_FORMATS
  }

  get hasKeepAlive(): boolean {
    return true
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  /** What is below the socket's own mark is on its way: the socket says `drain` only for what went above. */
  get bufferedBytes(): number {
    // What the kernel will take of that nobody knows before.
    this.#flush()
    return this.#handle ? this.#pendingBytes : this.#pendingBytes + this.#bufferedInStreamBytes()
  }

  get takenBytes(): number {
    return this.#writtenBytes - this.#pendingBytes - this.#socket.writableLength
  }

  /** The handshake's answer is of this format too (SIGNALR 2.4 W2). */
  useFormat(format: 'Text' | 'Binary'): void {
    this.#opcode = OPCODES[format]
  }

  write(chunk: Chunk): void {
    if (this.#isEnding || this.#state !== 'open') return
    this.#writeBytes((chunk.webSocketFrame ??= frameOf(chunk.payload, this.#opcode)))
  }

  /** The answer to the upgrade, before all frames. */
  writeHead(head: Buffer): void {
    this.#writeBytes(head)
  }

  onWaiting(bytes: number): void {
    this.#pendingBytes = bytes
  }

  onWriteFailed(error: Error): void {
    if (!this.#socket.destroyed) this.#socket.destroy(error)
  }

  onTaken(): void {
    if (this.#socket.destroyed) return
    this.#pendingBytes = 0
    if (!this.#socket.writableNeedDrain) this.#listener?.onDrain()
  }

  close(code: CloseCode): void {
    this.#isEnding = true
    this.#sayClose(code, NO_REASON)
  }

  abort(): void {
    this.#isEnding = true
    if (this.#state === 'open') this.#state = 'closing'
    this.#socket.destroy()
  }

  pause(): void {
    if (this.#state !== 'closed') this.#socket.pause()
  }

  resume(): void {
    if (this.#state !== 'closed') this.#socket.resume()
  }

  /** Of the socket, as are the three below. */
  onBytes(bytes: Buffer): void {
    if (!this.#isReadOut) this.#reader = this.#parts.readers.read(bytes, this, this.#reader)
  }

  onEnd(): void {
    if (this.#state === 'open') this.#state = 'closing'
    // What was said before goes before the end.
    this.#flush()
    this.#socket.end()
  }

  onDrain(): void {
    this.#listener?.onDrain()
  }

  onClosed(): void {
    const socket = this.#socket
    clearTimeout(this.#closeTimer)
    // Of a socket that was paused there may be some that nobody has read.
    const left: unknown = socket.readableEnded || socket.readableLength === 0 ? undefined : socket.read()
    this.#state = 'closed'
    if (Buffer.isBuffer(left)) this.onBytes(left)
    this.#reader = undefined
    const isLost = !this.#isConcluded && !this.#isEnding
    this.#isEnding = true
    this.#listener?.onClose(isLost)
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    this.#listener?.onData(isBinary ? data : data.toString())
  }

  onPing(data: Buffer): void {
    if (this.#state === 'open' && this.#socket.writableLength < PONG_BUFFER_BYTES_MAX) {
      this.#writeToStream(frameOf(data, OPCODES.Pong))
    }
  }

  /** A close without a code, as JavaScript clients send it, is answered with 1000 (SIGNALR 2.4 W4). */
  onConcluded(code: number, reason: Buffer): void {
    this.#isConcluded = true
    this.#stopReading()
    if (code === NO_CODE) this.#sayClose(NORMAL, NO_REASON)
    else this.#sayClose(code, reason)
  }

  onBroken(code: number): void {
    this.#stopReading()
    this.#sayClose(code, NO_REASON)
  }

  /** What comes behind a write that waits below the stream waits in the stream, which says when to go on. */
  #writeBytes(bytes: Buffer): void {
    const { writer } = this.#parts
    this.#flush()
    this.#writtenBytes += bytes.length
    const handle = this.#pendingBytes > 0 ? undefined : (this.#handle ??= writer.handleOf(this.#socket, this))
    if (!handle) {
      this.#writeToStream(bytes)
      return
    }
    this.#turn = writer.turn
    writer.write(handle, bytes, this)
  }

  #writeToStream(bytes: Buffer): void {
    this.#flush()
    this.#handle = undefined
    this.#socket.write(bytes)
  }

  /** Writes what waits for the end of the turn, if some of it is this one's. */
  #flush(): void {
    const { writer } = this.#parts
    if (this.#turn === writer.turn) writer.flush()
  }

  #bufferedInStreamBytes(): number {
    return this.#socket.writableNeedDrain ? this.#socket.writableLength : 0
  }

  /** What still comes is passed over, so that the end behind it is seen. */
  #stopReading(): void {
    this.#isReadOut = true
    this.#socket.off('data', onData)
    process.nextTick(resume, this.#socket)
  }

  /** Says it once. The socket is ended when both have, or the peer can't. */
  #sayClose(code: number, reason: Buffer): void {
    if (this.#state === 'closed') return
    if (this.#state === 'open') {
      this.#state = 'closing'
      this.#hasSaidClose = true
      this.#writeToStream(closeFrame(code, reason))
    }
    if (this.#hasSaidClose && this.#isReadOut) this.#socket.end()
    this.#closeTimer ??= setTimeout(destroy, this.#parts.closeTimeoutMs, this.#socket)
  }
}

// The listeners of all sockets: none has functions of its own.

function onData(this: CarryingSocket, bytes: Buffer): void {
  this[carried]?.onBytes(bytes)
}

function onEnd(this: CarryingSocket): void {
  this[carried]?.onEnd()
}

function onDrain(this: CarryingSocket): void {
  this[carried]?.onDrain()
}

function onError(this: CarryingSocket): void {
  this.destroy()
}

function onClose(this: CarryingSocket): void {
  this[carried]?.onClosed()
}

function resume(socket: Socket): void {
  socket.resume()
}

function destroy(socket: Socket): void {
  socket.destroy()
}
