import type { ServerResponse } from 'node:http'
import type { Chunk } from '../channel/chunk.ts'
import type { Transport, TransportListener } from '../channel/transport.ts'

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache,no-store',
  Pragma: 'no-cache',
  'Content-Encoding': 'identity',
  'X-Accel-Buffering': 'no',
  'X-Content-Type-Options': 'nosniff',
}
const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

/** What goes to the client is one endless response; what comes from it are requests of its own. Source: SIGNALR 2.5. */
export class ServerSentEventsTransport implements Transport {
  readonly name = 'ServerSentEvents'
  readonly transferFormats = ['Text'] as const
  readonly hasKeepAlive = true
  readonly #response: ServerResponse
  readonly #isRaw: boolean
  #listener: TransportListener | undefined
  #writtenBytes = 0
  #isEnded = false
  #isPaused = false
  #onResume: (() => void)[] = []

  /** @param isRaw what is written is an event stream already, and not to be put into events */
  constructor(response: ServerResponse, isRaw = false) {
    this.#response = response
    this.#isRaw = isRaw
    response.on('error', () => {})
    response.on('drain', () => this.#listener?.onDrain())
    response.on('close', () => this.#finish())
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
    this.#response.writeHead(200, HEADERS)
    // Firefox opens the stream with its first bytes only (S1).
    this.#response.write(':\r\n')
  }

  get bufferedBytes(): number {
    return this.#response.writableLength
  }

  get takenBytes(): number {
    return this.#writtenBytes - this.#response.writableLength
  }

  useFormat(): void {
    // There is only text.
  }

  write(chunk: Chunk): void {
    if (this.#isEnded) return
    const data = this.#isRaw ? chunk.payload : (chunk.serverSentEvent ??= toEvent(chunk.payload))
    this.#writtenBytes += data.length
    this.#response.write(data)
  }

  close(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#response.end()
  }

  abort(): void {
    this.#isEnded = true
    this.#response.destroy()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    for (const resolve of this.#onResume.splice(0)) resolve()
  }

  /** Gives the connection what a POST brought; ends when the connection takes more. */
  async receive(data: Buffer): Promise<void> {
    while (this.#isPaused) await new Promise<void>((resolve) => this.#onResume.push(resolve))
    this.#listener?.onData(data)
  }

  #finish(): void {
    this.#isEnded = true
    this.resume()
    const listener = this.#listener
    this.#listener = undefined
    listener?.onClose()
  }
}

/** One event: a `data:` line for each line of the payload, without their carriage returns (S2). */
function toEvent(payload: Buffer): Buffer {
  const parts: Buffer[] = []
  let start = 0
  for (;;) {
    const newline = payload.indexOf(NEWLINE, start)
    let end = newline === -1 ? payload.length : newline
    if (newline !== -1 && end > start && payload[end - 1] === CARRIAGE_RETURN) end--
    parts.push(DATA, payload.subarray(start, end), LINE_END)
    if (newline === -1) break
    start = newline + 1
  }
  parts.push(LINE_END)
  return Buffer.concat(parts)
}

const DATA = Buffer.from('data: ')
const LINE_END = Buffer.from('\r\n')
