import {
  CHANNEL_STATE_TARGET,
  encodeHandshakeResponse,
  type HubMessage,
  jsonCodec,
  MessageType,
  parsePosition,
  RECORD_SEPARATOR,
} from '@serverchannel/protocol'
import type { WebSocketLike } from '../transports/transport.ts'
import type { TestClient, TestLog } from './test-log.ts'

/** What the sockets of one test server share. */
export interface TestNetwork {
  readonly log: TestLog
  readonly isRefusing: boolean
  /** Runs it once the wire's delay is over; in order. */
  later(run: () => void): void
  /** Answers a call of the hub's; undefined where there is no such method. */
  call(method: string, args: readonly unknown[], client: TestClient): Promise<unknown> | undefined
  add(socket: TestSocket): void
  remove(socket: TestSocket): void
}

const LIMITS = { messageBytesMax: 64 * 1024 * 1024, depthMax: 1000 }

/** A WebSocket whose other end is the server in memory: SignalR's handshake, pings, calls, and the channel's log. */
export class TestSocket implements WebSocketLike {
  readonly client: TestClient
  readonly #network: TestNetwork
  readonly #url: URL
  readonly #listeners = new Map<string, ((event: object) => void)[]>()
  readonly #reader = jsonCodec.createReader(LIMITS)
  #state: 'connecting' | 'open' | 'closed' = 'connecting'
  #hasShakenHands = false

  constructor(url: string, client: TestClient, network: TestNetwork) {
    this.#url = new URL(url)
    this.client = client
    this.#network = network
    network.later(() => this.#open())
  }

  addEventListener(type: string, listener: (event: object) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener])
  }

  /** The client sends. */
  send(data: string): void {
    if (this.#state === 'connecting') throw new Error('The socket is not open yet.')
    this.#network.later(() => this.#receive(data))
  }

  /** The client closes. */
  close(): void {
    this.#network.later(() => this.end(1000))
  }

  /** The server sends, in its turn. */
  push(text: string): void {
    this.#network.later(() => {
      if (this.#state === 'open') this.#dispatch('message', { data: text })
    })
  }

  /** Whether messages are for it from now on. */
  get isListening(): boolean {
    return this.#hasShakenHands && this.#state === 'open'
  }

  /** The connection ends now. */
  end(code: number): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#network.remove(this)
    if (code === 1006) this.#dispatch('error', {})
    this.#dispatch('close', { code, reason: '' })
  }

  #open(): void {
    if (this.#state !== 'connecting') return
    if (this.#network.isRefusing) {
      this.end(1006)
      return
    }
    this.#state = 'open'
    this.#network.add(this)
    this.#dispatch('open', {})
  }

  #receive(data: string): void {
    if (this.#state !== 'open') return
    if (this.#hasShakenHands) {
      for (const message of this.#reader.read(data)) this.#answer(message)
      return
    }
    const end = data.indexOf(RECORD_SEPARATOR)
    this.#hasShakenHands = true
    this.push(encodeHandshakeResponse({}))
    this.#catchUp()
    if (end !== -1 && end + 1 < data.length) this.#receive(data.slice(end + 1))
  }

  /** What the client missed, and then where it is. */
  #catchUp(): void {
    const asked = this.#url.searchParams.get('position')
    if (asked === null) return
    const { texts, recovered, reason } = this.#network.log.after(parsePosition(asked), this.client)
    const state = {
      ...this.#network.log.position,
      ...(recovered === undefined ? {} : { recovered }),
      ...(reason ? { reason } : {}),
    }
    const told = jsonCodec.encode({ type: MessageType.Invocation, target: CHANNEL_STATE_TARGET, arguments: [state] })
    this.push(texts.join('') + told)
  }

  #answer(message: HubMessage): void {
    if (message.type === MessageType.Ping) this.push(jsonCodec.encode({ type: MessageType.Ping }))
    if (message.type === MessageType.Close) this.end(1000)
    if (message.type !== MessageType.Invocation) return
    const { invocationId, target } = message
    const outcome = this.#network.call(target, message.arguments, this.client)
    if (invocationId === undefined) return
    const complete = (end: { readonly result?: unknown } | { readonly error: string }): void =>
      this.push(jsonCodec.encode({ type: MessageType.Completion, invocationId, ...end }))
    if (!outcome) complete({ error: `Unknown hub method '${target}'` })
    else
      void outcome.then(
        (result) => complete(result === undefined ? {} : { result }),
        (error: unknown) => complete({ error: error instanceof Error ? error.message : String(error) }),
      )
  }

  #dispatch(type: string, event: object): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event)
  }
}
