import { createTerrasoft, type ServerChannelOptions, type Terrasoft } from '../src/terrasoft.ts'
import { settle } from './fake-clock.ts'
import { World } from './harness.ts'
import { channelState, hubMessage, serverMessage } from './wire.ts'

/** A call of a hub's method, as the client sent it. */
export interface SentCall {
  readonly invocationId: string
  readonly target: string
  readonly arguments: readonly unknown[]
}

/** Creatio's names in a world in which nothing happens but what the test does. */
export class TerrasoftScene {
  readonly world: World = new World()
  readonly terrasoft: Terrasoft
  /** What was written to the console. */
  readonly lines: string[] = []
  #offset = 0

  constructor(options: ServerChannelOptions = {}) {
    const url = 'http://host.test/msg?token=secret'
    const log = (line: string): unknown => this.lines.push(line)
    this.terrasoft = createTerrasoft({ ...this.world.options, url, log, ...options })
  }

  get channel(): Terrasoft['ServerChannel'] {
    return this.terrasoft.ServerChannel
  }

  /** Connects, and is open. */
  async open(): Promise<this> {
    this.channel.init()
    await settle()
    this.world.network.socket.shakeHands(channelState('e', this.#offset))
    return this
  }

  /** The connection breaks and comes back. */
  async reopen(): Promise<void> {
    this.world.network.socket.drop()
    await this.world.untilNextSocket()
    this.world.network.socket.shakeHands(channelState('e', this.#offset, { recovered: true }))
  }

  /** A message comes. Returns its position. */
  receive(sender: string, body: unknown): string {
    const position = `e:${++this.#offset}`
    this.world.network.socket.receive(serverMessage(sender, body, position))
    return position
  }

  /** The calls that went out on the newest socket. */
  get calls(): SentCall[] {
    const records = this.world.network.socket.sent.flatMap((text) => text.split('\u001e').filter(Boolean))
    return records.map((record) => JSON.parse(record) as SentCall & { type?: number }).filter(({ type }) => type === 1)
  }

  /** The server answers the newest call. */
  async answer(outcome: { result?: unknown; error?: string }): Promise<void> {
    const invocationId = this.calls.at(-1)?.invocationId ?? ''
    this.world.network.socket.receive(hubMessage({ type: 3, invocationId, ...outcome }))
    await settle()
  }
}
