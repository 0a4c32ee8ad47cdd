import type { Chunk } from '../src/channel/chunk.ts'
import type { CloseCode, Transport, TransportListener } from '../src/channel/transport.ts'

/** A peer whose reading, writing and leaving the test decides. It takes everything at once, until it is told not to. */
export class FakeTransport implements Transport {
  readonly name = 'WebSockets'
  readonly transferFormats: readonly ('Text' | 'Binary')[] = ['Text', 'Binary']
  hasKeepAlive = true
  format: 'Text' | 'Binary' = 'Text'
  /** Written, and not taken by the peer. */
  readonly pipe: Chunk[] = []
  /** Taken by the peer, in order. */
  readonly taken: Chunk[] = []
  takenBytes = 0
  bufferedBytes = 0
  isTaking = true
  isPaused = false
  /** How often it was paused. */
  pauses = 0
  closedWith: CloseCode | undefined
  isGone = false
  readonly #waiting: (string | Buffer)[] = []
  #listener: TransportListener | undefined

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  useFormat(format: 'Text' | 'Binary'): void {
    this.format = format
  }

  write(chunk: Chunk): void {
    if (this.closedWith !== undefined || this.isGone) return
    this.pipe.push(chunk)
    this.bufferedBytes += chunk.payload.length
    // What waits from before goes first, and its end is told of: see `take`.
    if (this.isTaking && this.pipe.length === 1) this.#take(1)
  }

  close(code: CloseCode): void {
    this.closedWith ??= code
  }

  abort(): void {
    this.hangUp()
  }

  pause(): void {
    this.isPaused = true
    this.pauses++
  }

  resume(): void {
    this.isPaused = false
    while (!this.isPaused && this.#waiting.length > 0) this.#listener?.onData(this.#waiting.shift() ?? '')
  }

  /** The peer sends it; it waits while the transport is paused. */
  send(data: string | Buffer): void {
    if (this.isGone) return
    if (this.isPaused) this.#waiting.push(data)
    else this.#listener?.onData(data)
  }

  /** The peer takes pieces that were written, all of them where no number is given. */
  take(count: number = this.pipe.length): Chunk[] {
    const chunks = this.#take(count)
    if (chunks.length > 0 && this.pipe.length === 0 && !this.isGone) this.#listener?.onDrain()
    return chunks
  }

  /** The peer is gone, or has answered the close. What it did not take is lost. */
  hangUp(isLost = false): void {
    if (this.isGone) return
    this.isGone = true
    this.#listener?.onClose(isLost)
  }

  /** What the peer took, as text. */
  get text(): string {
    return this.taken.map(({ payload }) => payload.toString()).join('')
  }

  /** The records that the peer took, without their separators. */
  get records(): readonly string[] {
    return this.text.split('\x1e').slice(0, -1)
  }

  #take(count: number): Chunk[] {
    const chunks = this.pipe.splice(0, count)
    for (const { payload } of chunks) {
      this.bufferedBytes -= payload.length
      this.takenBytes += payload.length
    }
    this.taken.push(...chunks)
    return chunks
  }
}
