import { RECORD_SEPARATOR } from '@serverchannel/protocol'
import { Chunk } from '../channel/chunk.ts'
import type { CloseCode, Transport, TransportListener } from '../channel/transport.ts'

const SEPARATOR = RECORD_SEPARATOR.charCodeAt(0)
/** The parts of a chunk that goes to many connections are made for the first of them only. */
const partsOf = new WeakMap<Chunk, readonly Chunk[]>()

/**
 * A WebSocket on which each record is a frame of its own, without its separator; an empty record is a WebSocket's ping,
 * which browsers answer by themselves and proxies see.
 */
export class RecordTransport implements Transport {
  readonly transferFormats = ['Text'] as const
  readonly hasKeepAlive = true
  readonly #inner: Transport

  constructor(inner: Transport) {
    this.#inner = inner
  }

  get name(): Transport['name'] {
    return this.#inner.name
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes
  }

  get takenBytes(): number {
    return this.#inner.takenBytes
  }

  listen(listener: TransportListener): void {
    this.#inner.listen(listener)
  }

  useFormat(format: 'Text' | 'Binary'): void {
    this.#inner.useFormat(format)
  }

  write(chunk: Chunk): void {
    let parts = partsOf.get(chunk)
    if (!parts) {
      parts = split(chunk.payload)
      partsOf.set(chunk, parts)
    }
    for (const part of parts) this.#inner.write(part)
  }

  close(code: CloseCode): void {
    this.#inner.close(code)
  }

  abort(): void {
    this.#inner.abort()
  }

  pause(): void {
    this.#inner.pause()
  }

  resume(): void {
    this.#inner.resume()
  }
}

/** As the whole frame that it is (RFC 6455, section 5.5.2). */
const PING = new Chunk(Buffer.alloc(0), 0)
PING.webSocketFrame = Buffer.from([0x89, 0])

function split(payload: Buffer): readonly Chunk[] {
  const parts: Chunk[] = []
  for (let start = 0; start < payload.length; ) {
    const end = payload.indexOf(SEPARATOR, start)
    parts.push(end === start ? PING : new Chunk(payload.subarray(start, end), 1))
    start = end + 1
  }
  return parts
}
