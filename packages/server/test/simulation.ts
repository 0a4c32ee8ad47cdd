import type { Random } from '../../protocol/test/random.ts'
import type { Audience } from '../src/channel/audience.ts'
import { range } from './channel-scene.ts'
import { decode, type Received } from './fake-outlet.ts'
import { type HubClient, type HubScene, openHub, PING } from './hub-scene.ts'
import { Ledger, Oracle } from './simulation-oracle.ts'

const STEPS = 150

/** What a faulty network would do to the messages that a client takes at once. */
export type Fault = 'drop one' | 'swap two' | 'redeliver one'

export interface Outcome {
  readonly messages: number
  readonly gaps: number
  readonly recoveries: number
  readonly resumes: number
  /** Whether the fault that was asked for was put in. */
  readonly isFaulty: boolean
}

/** A client that comes back with its position whenever it is cut off. */
interface SimulatedClient {
  readonly user: string
  readonly groups: readonly string[]
  readonly connectionIds: string[]
  readonly ledger: Ledger
  connected: HubClient | undefined
}

/**
 * Posts, cuts, blocks, drains, trims and resumes at random, and checks at each step what every client gets.
 *
 * @throws Error at the first message that is missing, doubled, out of order, or not for whoever got it
 */
export async function simulate(random: Random, fault?: Fault): Promise<Outcome> {
  const simulation = new Simulation(random, await openRandomHub(random), fault)
  for (let step = 0; step < STEPS; step++) await simulation.step()
  return simulation.finish()
}

function openRandomHub(random: Random): Promise<HubScene> {
  return openHub({
    tailCountMax: 1 + random.below(40),
    tailBytesMax: random.chance(0.2) ? 4096 : 1_000_000,
    highWaterMarkBytes: 4096,
    chunkBytesMax: random.pick([1024, 4096, 65_536]),
    sliceConnections: random.pick([1, 2, 1000]),
    keepAliveIntervalMs: 15_000,
  })
}

class Simulation {
  readonly #random: Random
  readonly #scene: HubScene
  readonly #oracle = new Oracle()
  readonly #clients: SimulatedClient[]
  #fault: Fault | undefined
  #isFaulty = false
  #posts = 0
  #connections = 0
  #resumes = 0

  constructor(random: Random, scene: HubScene, fault: Fault | undefined) {
    this.#random = random
    this.#scene = scene
    this.#fault = fault
    this.#clients = range(1, 2 + random.below(4)).map((number) => {
      const member = { user: `user-${number % 3}`, groups: number % 2 ? ['odd'] : ['even', 'both'], connectionIds: [] }
      return { ...member, ledger: new Ledger(this.#oracle, member), connected: undefined }
    })
  }

  async step(): Promise<void> {
    const random = this.#random
    const client = random.pick(this.#clients)
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
        return this.#post()
      case 3:
        if (client.connected) this.#cut(client)
        return
      case 4:
      case 5:
        if (!client.connected) this.#connect(client)
        return
      case 6:
        if (client.connected) client.connected.transport.isTaking = random.chance(0.3)
        return
      case 7:
        this.#take(client, 1 + random.below(4))
        return
      case 8:
        if (random.chance(0.3)) this.#trim()
        return
      case 9:
        if (random.chance(0.1)) this.#beginEpoch()
        else if (random.chance(0.5)) this.#scene.store.holdReads()
        else this.#scene.store.releaseReads()
        return
      case 10:
        this.#letTimePass(random.below(20_000))
        return
      default:
        if (random.chance(0.5)) this.#scene.clock.turn()
        else await this.#settle()
    }
  }

  /** Everybody comes back and takes all there is. */
  async finish(): Promise<Outcome> {
    this.#scene.store.releaseReads()
    for (let round = 0; round < 50; round++) {
      for (const client of this.#clients) {
        if (!client.connected) this.#connect(client)
        this.#take(client, Number.POSITIVE_INFINITY)
      }
      await this.#settle()
    }
    for (const { ledger } of this.#clients) ledger.finish()
    const sum = (count: (ledger: Ledger) => number): number =>
      this.#clients.reduce((total, { ledger }) => total + count(ledger), 0)
    return {
      messages: sum(({ messages }) => messages),
      gaps: sum(({ gaps }) => gaps),
      recoveries: sum(({ recoveries }) => recoveries),
      resumes: this.#resumes,
      isFaulty: this.#isFaulty,
    }
  }

  async #post(): Promise<void> {
    const random = this.#random
    const posts = range(1, random.chance(0.8) ? 1 : 1 + random.below(20)).map(() => ({
      sender: 'Simulation',
      body: [++this.#posts, 'x'.repeat(random.chance(0.2) ? random.below(3000) : random.below(50))],
      to: this.#audience(),
      ...(random.chance(0.1) ? { ttlMs: 1 + random.below(20_000) } : {}),
    }))
    const receipts = await this.#scene.channel.post(posts)
    posts.forEach((post, index) => {
      this.#oracle.posted(receipts[index]?.position ?? '', {
        body: post.body,
        audience: post.to,
        isShortLived: 'ttlMs' in post,
      })
    })
  }

  #audience(): Audience {
    const random = this.#random
    const ids = random.pick(this.#clients).connectionIds
    const except = random.chance(0.15) && ids.length > 0 ? { except: [ids.at(-1) ?? ''] } : {}
    switch (random.below(5)) {
      case 0:
        return { users: [`user-${random.below(4)}`], ...except }
      case 1:
        return { groups: random.chance(0.5) ? ['odd'] : ['even', 'both'], ...except }
      case 2:
        return ids.length > 0 ? { connections: [ids.at(-1) ?? ''], users: ['user-0'] } : { groups: ['nobody'] }
      default:
        return { all: true, ...except }
    }
  }

  #connect(client: SimulatedClient): void {
    const id = `connection-${++this.#connections}`
    client.connectionIds.push(id)
    const { user, groups } = client
    if (client.ledger.position !== '') this.#resumes++
    const connected = this.#scene.connect(id, { identity: { user, groups }, position: client.ledger.position })
    client.connected = connected
    connected.transport.send(PING)
    connected.transport.isTaking = this.#random.chance(0.7)
  }

  #cut(client: SimulatedClient): void {
    client.connected?.transport.hangUp()
    client.connected = undefined
  }

  /** The client takes pieces from its pipe, and what its transport took by itself. */
  #take(client: SimulatedClient, count: number): void {
    const { connected } = client
    if (!connected) return
    const { transport } = connected
    transport.take(Math.min(count, transport.pipe.length))
    const received = transport.taken.splice(0).flatMap(({ payload }) => decode(payload.toString()))
    for (const each of this.#spoil(received, client.ledger)) client.ledger.take(each)
    if (transport.closedWith !== undefined && transport.pipe.length === 0) this.#cut(client)
  }

  /** Puts the fault in, once, where two messages that the client must get came one after the other. */
  #spoil(received: readonly Received[], ledger: Ledger): readonly Received[] {
    const fault = this.#fault
    if (!fault || received.length < 2 || !this.#random.chance(0.2)) return received
    const index = received.findIndex((each, at) => ledger.isRequired(each) && ledger.isRequired(received[at + 1]))
    const [one, two] = received.slice(index, index + 2)
    if (index === -1 || !one || !two) return received
    this.#fault = undefined
    this.#isFaulty = true
    const spoilt = { 'drop one': [two], 'swap two': [two, one], 'redeliver one': [one, one, two] }[fault]
    return [...received.slice(0, index), ...spoilt, ...received.slice(index + 2)]
  }

  #trim(): void {
    const offset = this.#random.below(this.#oracle.head + 1)
    this.#scene.store.trimTo(offset)
    this.#oracle.trimmedTo = Math.max(this.#oracle.trimmedTo, offset)
  }

  #beginEpoch(): void {
    const epoch = `epoch-${this.#oracle.epoch.length}-${this.#posts}-${this.#random.below(1000)}`
    const head = this.#random.below(this.#oracle.head + 2)
    this.#oracle.began(epoch, head)
    this.#scene.store.beginEpoch(epoch, head)
  }

  #letTimePass(ms: number): void {
    this.#scene.clock.advance(ms)
    for (const client of this.#clients) {
      client.connected?.hub.tick(this.#scene.clock.now())
      if (client.connected && this.#random.chance(0.9)) client.connected.transport.send(PING)
    }
  }

  async #settle(): Promise<void> {
    await this.#scene.clock.settle()
  }
}
