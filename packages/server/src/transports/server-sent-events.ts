import type { ServerResponse } from 'node:http'
import type { Chunk } from '../channel/chunk.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { Transport, TransportListener } from '../channel/transport.ts'

export interface ServerSentEventsOptions {
  readonly clock: Clock
  /** What was written before the end has this long to be taken. */
  readonly closeTimeoutMs: number
  /** What is written is an event stream already, and not to be put into events. */
  readonly isRaw: boolean
}

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache,no-store',
  Pragma: 'no-cache',
  'Content-Encoding': 'identity',
  'X-Accel-Buffering': 'no',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
}
const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d

/** What goes to the client is one endless response; what comes from it are requests of its own. Source: SIGNALR 2.5. */
export class ServerSentEventsTransport implements Transport {
  readonly name = 'ServerSentEvents'
  readonly transferFormats = ['Text'] as const
  readonly hasKeepAlive = true
  readonly #response: ServerResponse
  readonly #options: ServerSentEventsOptions
  #listener: TransportListener | undefined
  #writtenBytes = 0
  #isEnded = false
  #isPaused = false
  #onResume: (() => void)[] = []
  #closeTimer: Timer | undefined

  constructor(response: ServerResponse, options: ServerSentEventsOptions) {
    this.#response = response
    this.#options = options
    response.on('error', () => {})
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
    const data = this.#options.isRaw ? chunk.payload : (chunk.serverSentEvent ??= toEvent(chunk.payload))
    this.#writtenBytes += data.length
    this.#response.write(data, this.#onWritten)
  }

  close(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#response.end()
    // A client that doesn't read would never let it end.
    this.#closeTimer = this.#options.clock.after(this.#options.closeTimeoutMs, () => this.#response.destroy())
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

  /** The response's own `drain` comes only after writes that went above its mark, which may be higher than ours. */
  readonly #onWritten = (): void => {
    if (this.#response.writableLength === 0) this.#listener?.onDrain()
  }

  #finish(): void {
    this.#isEnded = true
    this.#closeTimer?.stop()
    this.resume()
    const listener = this.#listener
    this.#listener = undefined
    listener?.onClose(false)
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
