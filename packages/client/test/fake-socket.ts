import type { WebSocketConstructor, WebSocketLike } from '../src/transports/transport.ts'

/** A WebSocket whose other end is the test. */
export class FakeSocket implements WebSocketLike {
  readonly #listeners = new Map<string, Array<(event: object) => void>>()
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

  addEventListener(type: string, listener: (event: object) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener])
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
    this.#dispatch('open', {})
  }

  /** Data as one WebSocket message. Reaches the handler in any state, as late events do. */
  receive(data: unknown): void {
    this.#dispatch('message', { data })
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
    if (code === 1006) this.#dispatch('error', {})
    this.#dispatch('close', { code, reason })
  }

  #dispatch(type: string, event: object): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event)
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
    const onMade = (socket: FakeSocket): void => this.#add(socket)
    this.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(url)
        onMade(this)
      }
    }
  }

  /** The newest. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (!socket) throw new Error('No socket was made')
    return socket
  }

  #add(socket: FakeSocket): void {
    if (this.failure) throw this.failure
    this.sockets.push(socket)
    this.liveMax = Math.max(this.liveMax, this.sockets.filter(({ isLive }) => isLive).length)
  }
}
