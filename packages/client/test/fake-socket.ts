import type { WebSocketConstructor, WebSocketLike } from '../src/socket.ts'

type Handler = ((event: object) => void) | null

/** A WebSocket whose other end is the test. */
export class FakeSocket implements WebSocketLike {
  // As any code may set them; what is set is called as a browser would.
  onopen: unknown = null
  onmessage: unknown = null
  onclose: unknown = null
  onerror: unknown = null
  readonly url: URL
  /** What the client sent, one item a call. */
  readonly sent: string[] = []
  state: 'connecting' | 'open' | 'closing' | 'closed' = 'connecting'
  /** Whether the other end answers when the client closes. */
  answersClose = true

  constructor(url: string) {
    this.url = new URL(url)
  }

  /** Whether the client still uses it. */
  get isLive(): boolean {
    return this.state === 'connecting' || this.state === 'open'
  }

  /** The position that the client asked to go on from. */
  get position(): string | null {
    return this.url.searchParams.get('position')
  }

  send(data: string): void {
    if (this.state === 'connecting') throw new Error('InvalidStateError: still connecting')
    if (this.state === 'open') this.sent.push(data)
  }

  close(): void {
    if (!this.isLive) return
    this.state = 'closing'
    if (this.answersClose) queueMicrotask(() => this.drop(1000))
  }

  accept(): void {
    this.state = 'open'
    this.#call(this.onopen, {})
  }

  /** Data as one WebSocket message. Reaches the handler in any state, as late events do. */
  receive(data: unknown): void {
    this.#call(this.onmessage, { data })
  }

  /** Accepts, and answers the handshake; more data may come in the same message. */
  shakeHands(more = ''): void {
    this.accept()
    this.receive(`{}\u001e${more}`)
  }

  /** The connection ends, from the other end or from in between. */
  drop(code = 1006, reason = ''): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    if (code === 1006) this.#call(this.onerror, {})
    this.#call(this.onclose, { code, reason })
  }

  #call(handler: unknown, event: object): void {
    ;(handler as Handler)?.(event)
  }
}

/** Makes the sockets and keeps them. */
export class FakeNetwork {
  readonly sockets: FakeSocket[] = []
  /** The most sockets that were in use at one time. */
  liveMax = 0
  /** Given, a socket can't be made. */
  failure: Error | undefined
  readonly WebSocket: WebSocketConstructor

  constructor() {
    const network = this
    this.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(url)
        if (network.failure) throw network.failure
        network.sockets.push(this)
        network.liveMax = Math.max(network.liveMax, network.sockets.filter(({ isLive }) => isLive).length)
      }
    }
  }

  /** The newest. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (!socket) throw new Error('No socket was made')
    return socket
  }
}
