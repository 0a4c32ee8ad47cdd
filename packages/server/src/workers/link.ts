import type { Duplex } from 'node:stream'
import { deserialize, serialize } from 'node:v8'

const HEAD_BYTES = 4
/** More is no frame of ours: what comes is out of step. */
const FRAME_BYTES_MAX = 1_073_741_824

export interface LinkListener<In> {
  onMessage(message: In): void
  /** All that was sent has been taken. */
  onDrain?(): void
  /** The other end is gone. Called once. */
  onClose(): void
}

/**
 * Messages in order over a pipe or a socket to a process of this program, which is trusted. What is sent in one go of the
 * loop goes out in one write. A frame is its length in 32 bits and the message in V8's own serialization.
 */
export class Link<Out, In> {
  readonly #stream: Duplex
  readonly #listener: LinkListener<In>
  #received: Buffer[] = []
  #receivedBytes = 0
  #isCorked = false
  #isClosed = false

  constructor(stream: Duplex, listener: LinkListener<In>) {
    this.#stream = stream
    this.#listener = listener
    stream.on('data', (data: Buffer) => this.#take(data))
    stream.on('drain', () => listener.onDrain?.())
    stream.on('error', () => {})
    stream.once('close', () => {
      if (this.#isClosed) return
      this.#isClosed = true
      listener.onClose()
    })
  }

  /** Bytes sent that the other end has not taken. */
  get bufferedBytes(): number {
    return this.#stream.writableLength
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Never waits. What is sent after the end is dropped. */
  send(message: Out): void {
    if (this.#isClosed || !this.#stream.writable) return
    const data = serialize(message)
    const head = Buffer.allocUnsafe(HEAD_BYTES)
    head.writeUInt32LE(data.length)
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#stream.cork()
      process.nextTick(() => {
        this.#isCorked = false
        this.#stream.uncork()
      })
    }
    this.#stream.write(head)
    this.#stream.write(data)
  }

  /** Ends it after what was sent. */
  close(): void {
    this.#stream.end()
  }

  /** Ends it at once. */
  abort(): void {
    this.#stream.destroy()
  }

  #take(data: Buffer): void {
    this.#received.push(data)
    this.#receivedBytes += data.length
    while (this.#receivedBytes >= HEAD_BYTES && !this.#isClosed) {
      const bytes = this.#joinedTo(HEAD_BYTES).readUInt32LE()
      if (bytes > FRAME_BYTES_MAX) {
        this.abort()
        return
      }
      if (this.#receivedBytes < HEAD_BYTES + bytes) return
      const frame = this.#joinedTo(HEAD_BYTES + bytes)
      const rest = frame.subarray(HEAD_BYTES + bytes)
      this.#receivedBytes -= HEAD_BYTES + bytes
      this.#received[0] = rest
      // What the other process sent: it runs the same program.
      this.#listener.onMessage(deserialize(frame.subarray(HEAD_BYTES, HEAD_BYTES + bytes)) as In)
    }
  }

  /** The first of what was received, in one piece of so many bytes at least. */
  #joinedTo(bytes: number): Buffer {
    const [first = EMPTY] = this.#received
    if (first.length >= bytes) return first
    const joined = Buffer.concat(this.#received)
    this.#received = [joined]
    return joined
  }
}

const EMPTY = Buffer.alloc(0)
