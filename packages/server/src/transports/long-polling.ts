import type { ServerResponse } from 'node:http'
import type { Chunk } from '../channel/chunk.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { Transport, TransportListener } from '../channel/transport.ts'

export interface LongPollingOptions {
  readonly clock: Clock
  /** A poll for which nothing came is answered empty after this. */
  readonly pollTimeoutMs: number
  /** Without a poll for so long the client is gone. */
  readonly disconnectTimeoutMs: number
  /** The end has this long to be fetched. */
  readonly closeTimeoutMs: number
  /** Told once: from now on nobody needs to poll. */
  readonly onEnd: () => void
}

/** Of every poll's answer. */
export const POLL_HEADERS = {
  'Cache-Control': 'no-cache, no-store',
  Pragma: 'no-cache',
  Expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
}

/**
 * What the client sends and gets in HTTP requests of its own: what is written waits for the next poll. Source: SIGNALR 2.6.
 *
 * `open`: polls come and go. `ending`: the end is said; for the listener it is over once the client took all, and the
 * client learns it from its next poll too. `ended`: there is no such connection any more.
 */
export class LongPollingTransport implements Transport {
  readonly name = 'LongPolling'
  readonly transferFormats = ['Text', 'Binary'] as const
  readonly hasKeepAlive = false
  readonly #options: LongPollingOptions
  #listener: TransportListener | undefined
  #state: 'open' | 'ending' | 'ended' = 'open'
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** An answer that the operating system has not taken. What comes after it waits, so that the order holds if it breaks. */
  #underWay: { readonly response: ServerResponse; readonly data: Buffer } | undefined
  #takenBytes = 0
  #poll: ServerResponse | undefined
  #pollTimer: Timer | undefined
  #absenceTimer: Timer | undefined
  #isFlushScheduled = false
  #isPaused = false
  #onResume: (() => void)[] = []

  constructor(options: LongPollingOptions) {
    this.#options = options
    this.#awaitPoll()
  }

  listen(listener: TransportListener): void {
    this.#listener = listener
  }

  get bufferedBytes(): number {
    return this.#waitingBytes + (this.#underWay?.data.length ?? 0)
  }

  get takenBytes(): number {
    return this.#takenBytes
  }

  useFormat(): void {
    // Every answer is `application/octet-stream`, whatever is in it.
  }

  write(chunk: Chunk): void {
    if (this.#state !== 'open') return
    this.#waiting.push(chunk.payload)
    this.#waitingBytes += chunk.payload.length
    if (!this.#poll || this.#isFlushScheduled) return
    // What is written in this turn goes out in one answer.
    this.#isFlushScheduled = true
    this.#options.clock.soon(() => {
      this.#isFlushScheduled = false
      this.#flush()
    })
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#absenceTimer?.stop()
    this.#absenceTimer = undefined
    this.#flush()
    if (this.bufferedBytes === 0) this.#tellEnd()
    this.#awaitPoll()
  }

  abort(): void {
    this.#waiting = []
    this.#waitingBytes = 0
    this.#underWay?.response.destroy()
    this.leave()
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
    if (this.#state === 'open') this.#listener?.onData(data)
  }

  /** Takes a poll: it is answered when there is something to say. A poll that still waits is superseded by it (L2). */
  poll(response: ServerResponse): void {
    this.#absenceTimer?.stop()
    this.#absenceTimer = undefined
    this.#answerPoll(204)
    this.#poll = response
    response.once('close', () => this.#pollEnded(response))
    this.#pollTimer = this.#options.clock.after(this.#options.pollTimeoutMs, () => this.#answerPoll(200))
    this.#flush()
  }

  /** The client says that it leaves (DELETE): the poll that waits ends with 204. */
  leave(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#answerPoll(204)
    this.#finish()
  }

  #flush(): void {
    if (!this.#poll || this.#underWay) return
    if (this.#waiting.length > 0) {
      const data = Buffer.concat(this.#waiting, this.#waitingBytes)
      this.#waiting = []
      this.#waitingBytes = 0
      this.#answerPoll(200, data)
    } else if (this.#state === 'ending') this.leave()
  }

  #answerPoll(status: 200 | 204, data?: Buffer): void {
    const response = this.#poll
    if (!response) return
    this.#poll = undefined
    this.#pollTimer?.stop()
    if (data) this.#underWay = { response, data }
    const type = data ? 'application/octet-stream' : 'text/plain'
    const length = status === 200 ? { 'Content-Type': type, 'Content-Length': data?.length ?? 0 } : {}
    // A server that goes down would wait for the client to give the TCP connection up.
    const last = this.#state === 'open' ? {} : { Connection: 'close' }
    response.writeHead(status, { ...POLL_HEADERS, ...length, ...last })
    if (data) {
      const { socket } = response.req
      // Of a socket that broke, Node says that its last write is done, and the response that it has finished.
      response.write(data, (error) => {
        if (!error && !socket.destroyed) this.#taken(data.length)
      })
    }
    response.end()
  }

  #taken(bytes: number): void {
    this.#underWay = undefined
    this.#takenBytes += bytes
    if (this.bufferedBytes === 0) {
      if (this.#state === 'open') this.#listener?.onDrain()
      else this.#tellEnd()
    }
    this.#flush()
  }

  /** It was answered, or it broke: then what it did not bring comes with the next one. */
  #pollEnded(response: ServerResponse): void {
    if (this.#poll === response) {
      this.#poll = undefined
      this.#pollTimer?.stop()
    }
    if (this.#underWay?.response === response) {
      const { data } = this.#underWay
      this.#underWay = undefined
      this.#waiting.unshift(data)
      this.#waitingBytes += data.length
      this.#flush()
    }
    this.#awaitPoll()
  }

  #awaitPoll(): void {
    if (this.#state === 'ended' || this.#poll || this.#absenceTimer) return
    const { clock, closeTimeoutMs, disconnectTimeoutMs } = this.#options
    const timeoutMs = this.#state === 'open' ? disconnectTimeoutMs : Math.min(closeTimeoutMs, disconnectTimeoutMs)
    this.#absenceTimer = clock.after(timeoutMs, () => {
      this.#state = 'ended'
      // An answer that nobody reads would keep its socket for ever.
      this.#underWay?.response.destroy()
      this.#finish()
    })
  }

  #finish(): void {
    this.#absenceTimer?.stop()
    this.#pollTimer?.stop()
    this.#tellEnd()
    this.#options.onEnd()
  }

  #tellEnd(): void {
    this.resume()
    const listener = this.#listener
    this.#listener = undefined
    listener?.onClose(false)
  }
}
