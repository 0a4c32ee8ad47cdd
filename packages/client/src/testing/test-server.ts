import { type Channel, connect } from '../connect.ts'
import type { Sign } from '../environment.ts'
import type { ConnectOptions } from '../options.ts'
import { settle, TestClock } from './test-clock.ts'
import { isFor, type TestAudience, type TestClient, TestLog } from './test-log.ts'
import { type TestNetwork, TestSocket } from './test-socket.ts'

export interface TestServerOptions {
  /** The virtual clock's first time, ms since 1970. Default 0. */
  readonly now?: number
  /** Chance, from 0 up to but not including 1. Default: always 0.5, so that a test runs the same each time. */
  readonly random?: () => number
}

/** Who connects, and with which of {@link connect}'s options. */
export interface TestConnectOptions extends TestClient {
  readonly options?: Omit<ConnectOptions, 'WebSocket' | 'environment' | 'transports' | 'messages'>
}

/** How a message is posted. */
export interface TestPostOptions {
  /** Whom it is for. Default: all. */
  readonly to?: TestAudience
  readonly id?: string
}

/** Answers a call of a page. What it throws is the call's error. */
export type TestMethod = (args: readonly unknown[], client: TestClient) => unknown

const HUB = 'http://test.invalid/msg'

/**
 * A server in memory, for tests of code that uses a channel: no network, no server process, no waiting. Its channels are
 * real ones, so what a test shows of drops, resumes and gaps is what happens in a page.
 *
 * @example
 * const server = createTestServer()
 * const channel = server.connect({ user: 'ann' })
 * await server.post('OrderChanged', { id: 42 })
 * server.drop()
 * await server.post('OrderChanged', { id: 43 }) // missed, and got when the channel is back
 * await server.advance(1_000)
 */
export function createTestServer(options: TestServerOptions = {}): TestServer {
  return new TestServer(options)
}

/** Made by {@link createTestServer}. */
export class TestServer {
  readonly #log = new TestLog()
  readonly #clock: TestClock
  readonly #random: () => number
  readonly #sockets = new Set<TestSocket>()
  readonly #methods = new Map<string, TestMethod>()
  readonly #reported: unknown[] = []
  readonly #network: TestNetwork
  readonly #listening = new Set<(sign: Sign) => void>()
  #isRefusing = false
  #delayMs = 0
  #arrivesAt = 0
  #duplicates = 0

  /** @internal */
  constructor({ now = 0, random = () => 0.5 }: TestServerOptions) {
    this.#clock = new TestClock(now)
    this.#random = random
    const isRefusing = (): boolean => this.#isRefusing
    this.#network = {
      log: this.#log,
      get isRefusing() {
        return isRefusing()
      },
      later: (run) => this.#later(run),
      call: (method, args, client) => this.#call(method, args, client),
      add: (socket) => this.#sockets.add(socket),
      remove: (socket) => this.#sockets.delete(socket),
    }
  }

  /** What handlers of the channels threw. In a page it goes to `reportError`. */
  get reportedErrors(): readonly unknown[] {
    return this.#reported
  }

  /** Connections that are open now. */
  get connectionCount(): number {
    return this.#sockets.size
  }

  /** The virtual time, ms. */
  get now(): number {
    return this.#clock.now()
  }

  /** A channel to this server, as `connect('/msg')` makes one. It opens with the next `post`, `settle` or `advance`. */
  connect({ user, groups, options = {} }: TestConnectOptions = {}): Channel {
    const client: TestClient = { user, groups }
    const network = this.#network
    class Socket extends TestSocket {
      constructor(url: string) {
        super(url, client, network)
      }
    }
    return connect(HUB, {
      ...options,
      WebSocket: Socket,
      transports: ['websocket'],
      environment: {
        now: this.#clock.now,
        after: this.#clock.after,
        random: this.#random,
        reportError: (error) => this.#reported.push(error),
        onSign: (listener) => {
          this.#listening.add(listener)
          return () => this.#listening.delete(listener)
        },
        isHidden: () => false,
        // Nothing outlives a test.
        kept: () => undefined,
      },
    })
  }

  /** Posts a message, and ends when all who are connected and not delayed have got it. */
  async post(sender: string, body?: unknown, { to = 'all', id }: TestPostOptions = {}): Promise<void> {
    await settle()
    const text = this.#log.append(sender, body, to, id)
    const times = this.#duplicates > 0 ? 2 : 1
    this.#duplicates = Math.max(0, this.#duplicates - 1)
    for (const socket of this.#sockets) {
      if (!socket.isListening || !isFor(to, socket.client)) continue
      for (let time = 0; time < times; time++) socket.push(text)
    }
    await settle()
  }

  /** Everything that needs no time has happened. */
  async settle(): Promise<void> {
    await this.#clock.advance(0)
  }

  /** So much virtual time passes, and what comes due on the way happens. */
  async advance(durationMs: number): Promise<void> {
    await this.#clock.advance(durationMs)
  }

  /** Cuts all connections, without a word. The channels try again: soon, then ever more seldom. */
  drop(): void {
    for (const socket of this.#sockets) socket.end(1006)
  }

  /** From now on no connection is taken; `false`: again. */
  refuse(isRefusing = true): void {
    this.#isRefusing = isRefusing
  }

  /** From now on everything on the wire takes so long, in both directions. */
  delay(delayMs: number): void {
    this.#delayMs = delayMs
  }

  /** So many of the next messages come twice. */
  duplicate(count = 1): void {
    this.#duplicates += count
  }

  /** The history is gone: who is away now will be told of a gap (`history-trimmed`). */
  trim(): void {
    this.#log.trim()
  }

  /** The server restarts and its log is lost: who comes back is told of a gap (`epoch-changed`). */
  restart(): void {
    this.#log.lose()
    this.drop()
  }

  /** The network is back, or the page is looked at again: channels that wait try at once. */
  wake(): void {
    for (const listener of this.#listening) listener('online')
  }

  /** Answers calls of a hub's method; its name matches in any case, as SignalR's do. */
  method(name: string, run: TestMethod): void {
    this.#methods.set(name.toLowerCase(), run)
  }

  #later(run: () => void): void {
    const now = this.#clock.now()
    // What was sent before arrives before, also where the wire is quicker by now.
    this.#arrivesAt = Math.max(this.#arrivesAt, now + this.#delayMs)
    if (this.#arrivesAt > now) this.#clock.after(this.#arrivesAt - now, run)
    else queueMicrotask(run)
  }

  #call(name: string, args: readonly unknown[], client: TestClient): Promise<unknown> | undefined {
    const method = this.#methods.get(name.toLowerCase())
    return method && Promise.resolve().then(() => method(args, client))
  }
}
