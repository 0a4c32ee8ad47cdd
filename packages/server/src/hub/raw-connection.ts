import { ChannelError } from '../channel/channel-error.ts'
import { Chunk } from '../channel/chunk.ts'
import type { Transport } from '../channel/transport.ts'
import type { Identity, Limits } from '../options.ts'
import { ConnectionTimes } from './connection-times.ts'
import type { HubRequest } from './hub-peer.ts'
import { renewed, type ServedConnection, type ServedConnectionInit } from './served-connection.ts'

/** A client's connection below the hub protocol: what it sends comes out as it is, in order. */
export interface RawConnection extends AsyncIterable<string | Buffer> {
  /** Public. */
  readonly id: string
  /** The user id that the connection was authenticated with. */
  readonly user: string | undefined
  readonly identity: Identity
  readonly transport: Transport['name']
  /** The request that opened the connection's transport. */
  readonly request: HubRequest
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal
  /** Bytes sent that the client has not taken. */
  readonly bufferedBytes: number
  /**
   * Sends a text or bytes: over a WebSocket as one message of that kind. Never waits; what is sent after the end is
   * dropped. A client that has not taken `heldBytesMax` bytes is closed, so that it may come back: `await drained()`
   * between many sends.
   */
  send(data: string | Uint8Array): void
  /** Ends when the client has taken enough to be sent more, or is gone. */
  drained(): Promise<void>
  /** Ends the connection after what was sent. Idempotent. */
  close(): void
}

/**
 * Serves one connection; that ends when this does, and at once where this fails.
 *
 * @example async (connection) => { for await (const data of connection) connection.send(data) }
 */
export type ServeRaw = (connection: RawConnection) => void | Promise<void>

export interface RawConnectionParts {
  readonly serve: ServeRaw
  readonly limits: Limits
  /** Told of each error of the application's code. */
  readonly onError: (error: unknown) => void
  readonly now: () => number
}

/** `open`: bytes flow. `closing`: it was ended and its bytes are on their way. `closed`: over. */
export class ServedRawConnection implements ServedConnection, RawConnection {
  readonly id: string
  readonly signal: AbortSignal
  readonly #init: ServedConnectionInit
  readonly #parts: RawConnectionParts
  readonly #times: ConnectionTimes
  readonly #controller = new AbortController()
  #identity: Identity
  #state: 'open' | 'closing' | 'closed' = 'open'
  #received: (string | Buffer)[] = []
  #receivedBytes = 0
  #readers: ((result: IteratorResult<string | Buffer, undefined>) => void)[] = []
  #whenDrained: (() => void)[] = []

  constructor(init: ServedConnectionInit, parts: RawConnectionParts) {
    this.#init = init
    this.#parts = parts
    this.#identity = init.identity
    this.id = init.id
    this.signal = this.#controller.signal
    this.#times = new ConnectionTimes(init.transport, parts.now())
  }

  get identity(): Identity {
    return this.#identity
  }

  get user(): string | undefined {
    return this.#identity.user
  }

  get transport(): Transport['name'] {
    return this.#init.transport.name
  }

  get request(): HubRequest {
    return this.#init.request
  }

  get bufferedBytes(): number {
    return this.#init.transport.bufferedBytes
  }

  readonly canResume = false

  start(): void {
    this.#init.transport.listen(this)
    void this.#serve()
  }

  /** Without messages there is nothing to count. */
  resumeOn(): boolean {
    return false
  }

  renew(identity: Identity): void {
    this.#identity = renewed(identity, this.#identity)
  }

  send(data: string | Uint8Array): void {
    if (this.#state !== 'open') return
    const { transport } = this.#init
    const { heldBytesMax } = this.#parts.limits
    if (transport.bufferedBytes > heldBytesMax) {
      this.close(new ChannelError('reader_stalled', `The client has not taken ${heldBytesMax} bytes.`))
      return
    }
    const isText = typeof data === 'string'
    transport.useFormat(isText ? 'Text' : 'Binary')
    // A copy: what polls take is read later.
    transport.write(new Chunk(isText ? Buffer.from(data) : Buffer.from(data), 0))
  }

  drained(): Promise<void> {
    if (this.#state !== 'open' || !this.#isFull()) return Promise.resolve()
    return new Promise((resolve) => this.#whenDrained.push(resolve))
  }

  close(error?: ChannelError): void {
    if (this.#state !== 'open') return
    this.#leave(error)
    this.#state = 'closing'
    this.#init.transport.close(error?.code === 'internal' ? 1011 : 1000)
  }

  onData(data: string | Buffer): void {
    if (this.#state !== 'open') return
    const reader = this.#readers.shift()
    if (reader) reader({ done: false, value: data })
    else {
      this.#received.push(data)
      this.#receivedBytes += data.length
      if (this.#receivedBytes >= this.#parts.limits.highWaterMarkBytes) this.#init.transport.pause()
    }
  }

  onDrain(): void {
    for (const resolve of this.#whenDrained.splice(0)) resolve()
  }

  onClose(): void {
    if (this.#state === 'closed') return
    if (this.#state === 'open') this.#leave(undefined)
    this.#state = 'closed'
    this.#init.onGone(this)
  }

  tick(now: number): void {
    if (this.#state !== 'open') return
    const { stalledReaderMs } = this.#parts.limits
    const { expiresAt } = this.#identity
    if (expiresAt !== undefined && now >= expiresAt) {
      this.close(new ChannelError('authentication_expired', 'Authentication expired; connect again with a new token.'))
    } else if (this.#times.stalledMs(now) >= stalledReaderMs) {
      this.close(new ChannelError('reader_stalled', `The client took nothing for ${stalledReaderMs} ms.`))
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<string | Buffer, undefined> {
    return {
      next: () => this.#next(),
      // A loop that was left may be entered again: the connection goes on until its function ends.
      return: () => Promise.resolve({ done: true, value: undefined }),
    }
  }

  async #serve(): Promise<void> {
    try {
      await this.#parts.serve(this)
      this.close()
    } catch (error) {
      this.#parts.onError(error)
      this.close(new ChannelError('internal', 'Something went wrong inside the server; its log says what.'))
    }
  }

  #next(): Promise<IteratorResult<string | Buffer, undefined>> {
    const data = this.#received.shift()
    if (data !== undefined) {
      this.#receivedBytes -= data.length
      if (this.#received.length === 0) this.#init.transport.resume()
      return Promise.resolve({ done: false, value: data })
    }
    if (this.#state !== 'open') return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#readers.push(resolve))
  }

  #isFull(): boolean {
    return this.#init.transport.bufferedBytes >= this.#parts.limits.highWaterMarkBytes
  }

  #leave(error: ChannelError | undefined): void {
    // What has come stays to be read; nothing follows it.
    for (const reader of this.#readers.splice(0)) reader({ done: true, value: undefined })
    for (const resolve of this.#whenDrained.splice(0)) resolve()
    this.#init.transport.resume()
    this.#controller.abort()
    this.#init.onEnd(this, error)
  }
}
