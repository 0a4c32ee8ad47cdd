import { ChannelError } from '../channel/channel-error.ts'
import type { ServedConnection } from '../hub/served-connection.ts'
import type { Identity } from '../options.ts'
import type { LongPollingTransport } from './long-polling.ts'
import type { ServerSentEventsTransport } from './server-sent-events.ts'

/** What carries a connection once it is open: a WebSocket needs no more requests, the others do. */
export type Carrier = 'WebSockets' | ServerSentEventsTransport | LongPollingTransport

export interface HttpConnectionInit {
  /** Public. */
  readonly id: string
  /** Of negotiation: where it is 0, the id is the token. */
  readonly version: number
  /** Secret: whoever has it may send as the connection. */
  readonly token: string
  readonly identity: Identity
  /** Whether stateful reconnect was negotiated. */
  readonly isStateful: boolean
  /** Milliseconds since 1970: nobody may open it later. */
  readonly expiresAt: number
  /** What may come before it is opened. */
  readonly earlyBytesMax: number
}

/** A connection as HTTP requests name it by its token: from its negotiation until its transport is gone. */
export class HttpConnection {
  readonly id: string
  readonly version: number
  readonly token: string
  readonly identity: Identity
  readonly isStateful: boolean
  readonly expiresAt: number
  readonly #earlyBytesMax: number
  #early: Buffer[] = []
  #earlyBytes = 0
  #carrier: Carrier | undefined
  #connection: ServedConnection | undefined
  #posts: Promise<void> = Promise.resolve()

  constructor(init: HttpConnectionInit) {
    this.id = init.id
    this.version = init.version
    this.token = init.token
    this.identity = init.identity
    this.isStateful = init.isStateful
    this.expiresAt = init.expiresAt
    this.#earlyBytesMax = init.earlyBytesMax
  }

  /** Undefined until a transport was chosen. */
  get carrier(): Carrier | undefined {
    return this.#carrier
  }

  get connection(): ServedConnection | undefined {
    return this.#connection
  }

  open(carrier: Carrier, connection?: ServedConnection): void {
    this.#carrier = carrier
    this.#connection = connection
    if (carrier === 'WebSockets') return
    for (const data of this.#early.splice(0)) void carrier.receive(data)
    this.#earlyBytes = 0
  }

  /**
   * Takes what a POST brings, in the order of the POSTs; ends when the connection takes more (SIGNALR 2.3). One body is
   * read at a time, so that what waits is with the network and not in memory.
   */
  async receive(read: () => Promise<Buffer>): Promise<void> {
    const before = this.#posts
    const received = before.then(async () => this.#take(await read()))
    this.#posts = received.catch(() => {})
    await received
  }

  async #take(data: Buffer): Promise<void> {
    if (this.#carrier === 'WebSockets') return
    if (this.#carrier) {
      await this.#carrier.receive(data)
      return
    }
    if (this.#earlyBytes + data.length > this.#earlyBytesMax) {
      throw new ChannelError('request_too_large', 'Too much came before the connection was opened.')
    }
    this.#early.push(data)
    this.#earlyBytes += data.length
  }
}
