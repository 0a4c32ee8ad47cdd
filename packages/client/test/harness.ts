import { connect } from '../src/connect.ts'
import type { Environment, KeptValues, Sign } from '../src/environment.ts'
import type { Channel } from '../src/index.ts'
import type { ConnectOptions } from '../src/options.ts'
import { FakeClock, settle } from './fake-clock.ts'
import { FakeNetwork } from './fake-socket.ts'
import { seededRandom } from './seeded-random.ts'
import { channelState } from './wire.ts'

/** A world in which nothing happens but what the test does. */
export class World {
  readonly clock = new FakeClock()
  readonly network = new FakeNetwork()
  /** What handlers threw. */
  readonly reported: unknown[] = []
  /** Those who listen to what happens to the page. */
  readonly listening = new Set<(sign: Sign) => void>()
  /** Whether nobody looks at the page. */
  isHidden = false
  /** What outlives the page, by area; taken away, nothing does. */
  readonly kept = new Map<'tab' | 'browser', KeptValues>()
  readonly environment: Environment
  /** As part of the options of whoever connects. */
  readonly options: Omit<ConnectOptions, 'messages'>

  constructor(random: () => number = seededRandom(1)) {
    this.environment = {
      now: this.clock.now,
      after: this.clock.after,
      random,
      reportError: (error) => this.reported.push(error),
      onSign: (listener) => {
        this.listening.add(listener)
        return () => this.listening.delete(listener)
      },
      isHidden: () => this.isHidden,
      kept: (area) => this.kept.get(area),
    }
    this.options = { WebSocket: this.network.WebSocket, transports: ['websocket'], environment: this.environment }
  }

  /** Something happens to the page. */
  sign(sign: Sign): void {
    if (sign === 'hidden' || sign === 'visible') this.isHidden = sign === 'hidden'
    for (const listener of [...this.listening]) listener(sign)
  }

  /** A channel whose first socket is made and not answered yet. */
  async connecting(options: ConnectOptions = {}, url = 'http://host.test/msg'): Promise<Channel> {
    const channel = connect(url, { ...this.options, ...options })
    await settle()
    return channel
  }

  /** A channel that is open, at offset 0 of epoch `e`. */
  async opened(options: ConnectOptions = {}, url?: string): Promise<Channel> {
    const channel = await this.connecting(options, url)
    this.network.socket.shakeHands(channelState('e', 0))
    return channel
  }

  /** Lets so much time pass that another attempt is made. */
  async untilNextSocket(): Promise<void> {
    const { length } = this.network.sockets
    for (let waits = 0; this.network.sockets.length === length; waits++) {
      if (waits === 100) throw new Error('No other socket was made')
      await this.clock.pass(this.clock.nextMs ?? 0)
    }
  }
}

/** What the channel tells of itself, in order. */
export function watch(channel: Channel): string[] {
  const told: string[] = []
  channel.onStateChange((state, { previous, error }) =>
    told.push(`${previous} → ${state}${error ? `: ${error.code}` : ''}`),
  )
  channel.onError(({ code }) => told.push(code))
  return told
}
