import type { Random } from '../../protocol/test/random.ts'
import type { Audience } from '../src/channel/audience.ts'
import { ChannelError } from '../src/channel/channel-error.ts'
import type { Post } from '../src/channel/intake.ts'
import { range } from './channel-scene.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeStore } from './fake-store.ts'
import { type HubScene, openHub, PING } from './hub-scene.ts'
import { SimulatedClient } from './simulation-client.ts'
import { type Fault, Spoiler, withoutTimers } from './simulation-faults.ts'
import { Oracle, positionOf } from './simulation-oracle.ts'

const STEPS = 130
const INTERVAL_MS_MAX = 8000
const PACE_MS_MAX = 12_000
const LARGEST_BYTES = 4000

/** How often each thing happened. */
export interface Happenings {
  posts: number
  keyed: number
  intervals: number
  failedAppends: number
  unknownAppends: number
  heldAppends: number
  cuts: number
  unnoticedCuts: number
  stalls: number
  heldReads: number
  crashes: number
  epochs: number
  trims: number
  joins: number
  leaves: number
  checks: number
  messages: number
  gaps: number
  recoveries: number
  replaced: number
  waits: number
  calmEntries: number
  paces: number
  pacedChecks: number
  resumes: number
  reconnects: number
}

export interface Outcome {
  readonly happened: Happenings
  /** Whether the fault that was asked for was put in. */
  readonly isFaulty: boolean
}

/**
 * Posts, cuts, blocks, drains, crashes, trims and resumes at random, over the real channel and hub on a simulated clock,
 * network and store, and checks at each step what every client gets.
 *
 * @throws Error at the first message that is missing, late, doubled, out of order, or not for whoever got it
 */
export async function simulate(random: Random, fault?: Fault): Promise<Outcome> {
  const simulation = new Simulation(random, fault)
  await simulation.open()
  for (let step = 0; step < STEPS; step++) await simulation.step()
  return simulation.finish()
}

const UNKNOWN = new Error('The outcome is unknown')
const PING_CHANCE = 0.9
const GROUPS = ['late', 'odd', '__proto__']

class Simulation {
  readonly #random: Random
  readonly #fault: Fault | undefined
  readonly #spoiler: Spoiler
  readonly #oracle = new Oracle()
  readonly #store = new FakeStore()
  readonly #clock = new FakeClock()
  readonly #clients: readonly SimulatedClient[]
  readonly #limits: ReturnType<typeof pickLimits>
  readonly #happened = nothing()
  #scene: HubScene | undefined
  #connections = 0
  #bodies = 0
  /** How rarely a connection is told, by its id. */
  readonly #paces = new Map<string, number>()
  #areAppendsHeld = false
  #areReadsHeld = false
  /** What posters were told, in the order in which they posted, and so in that of the log. */
  #noted: Promise<void> = Promise.resolve()

  constructor(random: Random, fault: Fault | undefined) {
    this.#random = random
    this.#fault = fault
    this.#spoiler = new Spoiler(fault, random)
    this.#limits = pickLimits(random)
    this.#store.acknowledgesEarly = fault === 'acknowledges before append'
    this.#clients = range(1, 2 + random.below(4)).map(
      (number) => new SimulatedClient(number, random.chance(0.3) ? 'numbers' : 'positions', this.#oracle),
    )
  }

  /** The server's process begins, and finds what the store has. */
  async open(): Promise<void> {
    const channelClock =
      this.#fault === "forgets an interval's last"
        ? withoutTimers(this.#clock, () => this.#spoiler.done())
        : this.#clock
    this.#scene = await openHub(this.#limits, {}, { store: this.#store, clock: this.#clock, channelClock })
  }

  async step(): Promise<void> {
    const random = this.#random
    const client = random.pick(this.#clients)
    const step = random.below(25)
    if (step < 7) await this.#post()
    else if (step < 9) this.#connect(client)
    else if (step < 10) this.#cut(client)
    else if (step < 12) this.#stall(client)
    else if (step < 14) this.#take(client, 1 + random.below(4))
    else if (step < 15) this.#moveBetweenGroups(client)
    else if (step < 16) this.#letTimePass(random.below(random.chance(0.1) ? 20_000 : 3000))
    else if (step < 17) await this.#upset()
    else if (step < 18) await this.#check(client)
    else if (step < 19) client.acknowledge()
    else if (step < 20) this.#pace(client, random.chance(0.7) ? 1000 + random.below(PACE_MS_MAX - 1000) : 0)
    else if (random.chance(0.5)) this.#clock.turn()
    else await this.#settle()
    this.#checkBounds()
  }

  /** Everybody comes back and takes all there is, after all intervals have ended. */
  async finish(): Promise<Outcome> {
    await this.#release()
    await this.#settle()
    this.#letTimePass(INTERVAL_MS_MAX)
    for (const client of this.#clients) {
      for (let attempts = 0; !(await this.#check(client)); attempts++) {
        if (attempts === 10) throw new Error('A client can not come back')
        this.#connect(client)
      }
      const { ledger, resumes, reconnects } = client
      for (const name of ['messages', 'gaps', 'recoveries', 'replaced', 'waits', 'calmEntries'] as const) {
        this.#happened[name] += ledger[name]
      }
      this.#happened.resumes += resumes
      this.#happened.reconnects += reconnects
    }
    return { happened: this.#happened, isFaulty: this.#spoiler.isDone }
  }

  get #running(): HubScene {
    if (!this.#scene) throw new Error('It is not open')
    return this.#scene
  }

  /** Something is wrong with the world. */
  async #upset(): Promise<void> {
    const random = this.#random
    switch (random.below(8)) {
      case 0:
        return this.#trim()
      case 1:
        if (random.chance(0.2)) this.#beginEpoch()
        return
      case 2:
        if (random.chance(0.4)) await this.#crash()
        return
      case 3:
        this.#happened.heldAppends++
        this.#areAppendsHeld = true
        this.#store.holdAppends()
        return
      case 4:
        this.#happened.heldReads++
        this.#areReadsHeld = true
        this.#store.holdReads()
        return
      case 5:
        this.#store.appendError = new Error('The disk is full')
        return
      case 6:
        if (!this.#store.acknowledgesEarly) this.#store.errorAfterAppend = UNKNOWN
        return
      default:
        await this.#release()
    }
  }

  async #release(): Promise<void> {
    this.#areAppendsHeld = false
    this.#areReadsHeld = false
    this.#store.releaseAppends()
    this.#store.releaseReads()
    await this.#noted
  }

  async #post(): Promise<void> {
    const random = this.#random
    const posts = range(1, random.chance(0.8) ? 1 : 1 + random.below(20)).map(() => this.#draw())
    this.#happened.posts += posts.length
    const outcome = this.#running.channel.post(posts).then(
      (receipts) => () => posts.forEach((post, index) => this.#note(post, receipts[index]?.position ?? '')),
      (error: unknown) => () => this.#noteFailure(posts, error),
    )
    this.#noted = this.#noted.then(async () => (await outcome)())
    // What goes wrong there is found where it is waited for, which may be long after.
    this.#noted.catch(() => {})
    if (!this.#areAppendsHeld) await this.#noted
  }

  #draw(): Post & { readonly to: Audience } {
    const random = this.#random
    const isKeyed = random.chance(0.6)
    const intervalMs = isKeyed && random.chance(0.5) ? 1 + random.below(INTERVAL_MS_MAX) : undefined
    if (isKeyed) this.#happened.keyed++
    if (intervalMs !== undefined) this.#happened.intervals++
    return {
      sender: random.pick(['Simulation', 'Simulation', 'Other']),
      body: [++this.#bodies, 'x'.repeat(random.chance(0.2) ? random.below(3000) : random.below(50))],
      to: this.#audience(),
      ...(isKeyed ? { key: random.pick(['a', 'b', '__proto__']) } : {}),
      ...(intervalMs === undefined ? {} : { intervalMs }),
      ...(random.chance(0.1) ? { ttlMs: 1 + random.below(20_000) } : {}),
    }
  }

  #audience(): Audience {
    const random = this.#random
    const ids = random.pick(this.#clients).connectionIds
    const except = random.chance(0.15) && ids.length > 0 ? { except: [ids.at(-1) ?? ''] } : {}
    switch (random.below(6)) {
      case 0:
        return { users: [`user-${random.below(4)}`], ...except }
      case 1:
        return { groups: random.chance(0.5) ? ['odd'] : ['even', 'both'], ...except }
      case 2:
        return ids.length > 0 ? { connections: [ids.at(-1) ?? ''], users: ['user-0'] } : { groups: ['nobody'] }
      case 3:
        return { groups: [random.pick(GROUPS)], ...except }
      default:
        return { all: true, ...except }
    }
  }

  #note({ sender, key, intervalMs, body, to, ttlMs }: Post & { readonly to: Audience }, position: string): void {
    const isShortLived = ttlMs !== undefined
    const at = this.#clock.now()
    this.#oracle.posted(position, { sender, key, intervalMs, body, audience: to, isShortLived, at })
  }

  /** What failed after all is in the log, as everybody will see. */
  #noteFailure(posts: readonly (Post & { readonly to: Audience })[], error: unknown): void {
    if (!(error instanceof ChannelError)) throw error
    if (error.cause !== UNKNOWN) {
      this.#happened.failedAppends++
      return
    }
    this.#happened.unknownAppends++
    for (const post of posts) this.#note(post, `${this.#oracle.epoch}:${this.#oracle.head + 1}`)
  }

  #connect(client: SimulatedClient): void {
    if (client.isThere) return
    const { position } = client.ledger
    if (this.#fault === 'ignores the epoch' && client.kind === 'positions' && position !== '') {
      const { epoch, offset } = positionOf(position)
      const isTaken = epoch !== this.#oracle.epoch && offset <= this.#oracle.head && offset >= this.#oracle.trimmedTo
      if (isTaken) {
        this.#spoiler.done()
        client.connect(
          this.#running,
          `connection-${++this.#connections}`,
          this.#random,
          `${this.#oracle.epoch}:${offset}`,
        )
        return
      }
    }
    client.connect(this.#running, `connection-${++this.#connections}`, this.#random)
  }

  #cut(client: SimulatedClient): void {
    if (!client.isThere) return
    const isNoticed = this.#random.chance(0.7)
    this.#happened[isNoticed ? 'cuts' : 'unnoticedCuts']++
    client.cut(isNoticed)
  }

  #stall(client: SimulatedClient): void {
    if (!client.transport) return
    client.transport.isTaking = this.#random.chance(0.3)
    if (client.transport.isTaking) return
    this.#happened.stalls++
    client.ledger.disturb()
  }

  #take(client: SimulatedClient, count: number): boolean {
    const received = client.take(count)
    for (const each of this.#spoiler.spoil(received, client.ledger, this.#isPaced(client))) client.ledger.take(each)
    if (client.transport && !client.isThere && client.transport.pipe.length === 0) client.cut(true)
    return received.length > 0
  }

  /**
   * Lets the client have all there is, and looks whether it has all that is due.
   *
   * @returns false where that can't be said: it is away, or the store does not answer
   */
  async #check(client: SimulatedClient): Promise<boolean> {
    if (!client.isThere || this.#areReadsHeld || this.#areAppendsHeld) return false
    this.#store.writeLate()
    this.#endPace(client)
    for (let idle = 0; idle < 2; ) {
      if (client.transport) client.transport.isTaking = true
      idle = this.#take(client, Number.POSITIVE_INFINITY) ? 0 : idle + 1
      client.acknowledge()
      await this.#settle()
    }
    if (!client.isThere || !client.isRegistered) return false
    this.#happened.checks++
    client.ledger.requireDue(this.#clock.now())
    const getsEach = client.kind === 'positions' && !this.#isPaced(client)
    if (getsEach && this.#limits.tailCountMax >= ROOMY && this.#limits.tailBytesMax > 4096) {
      client.ledger.requireEach(this.#limits.tailCountMax)
    }
    return true
  }

  /** The page is hidden, and asks to be told rarely; or somebody looks at it again. */
  #pace(client: SimulatedClient, intervalMs: number): void {
    const id = client.connectionIds.at(-1)
    const isLate = this.#fault === 'lets a hidden page wait' && intervalMs > 0
    const toldMs = isLate ? 10 * PACE_MS_MAX : intervalMs
    if (id === undefined || !client.isRegistered || !this.#running.channel.tellEvery(id, toldMs)) return
    if (isLate) this.#spoiler.done()
    this.#happened.paces++
    this.#paces.set(id, intervalMs)
    client.ledger.disturb()
  }

  /** What is held back comes: because the time is over, or because somebody looks. */
  #endPace(client: SimulatedClient): void {
    const id = client.connectionIds.at(-1) ?? ''
    const intervalMs = this.#paces.get(id) ?? 0
    if (intervalMs === 0) return
    this.#happened.pacedChecks++
    client.ledger.disturb()
    if (this.#random.chance(0.5)) this.#pace(client, 0)
    else {
      // All intervals of keys end, and then its own.
      this.#letTimePass(INTERVAL_MS_MAX)
      this.#letTimePass(intervalMs)
    }
  }

  #isPaced(client: SimulatedClient): boolean {
    return (this.#paces.get(client.connectionIds.at(-1) ?? '') ?? 0) > 0
  }

  #moveBetweenGroups(client: SimulatedClient): void {
    const id = client.connectionIds.at(-1)
    if (id === undefined || !client.isRegistered) return
    const group = this.#random.pick(GROUPS)
    const { channel } = this.#running
    if (this.#random.chance(0.7)) {
      this.#happened.joins++
      if (channel.joinGroup(id, group)) client.joined(group)
    } else if (!client.groups.includes(group)) {
      this.#happened.leaves++
      channel.leaveGroup(id, group)
      client.left(group)
    }
  }

  #trim(): void {
    this.#happened.trims++
    const offset = this.#random.below(this.#oracle.head + 1)
    this.#store.trimTo(offset)
    this.#oracle.trimmedTo = Math.max(this.#oracle.trimmedTo, offset)
  }

  #beginEpoch(): void {
    this.#happened.epochs++
    const epoch = `epoch-${this.#happened.epochs + 1}`
    const head = this.#random.below(this.#oracle.head + 2)
    const change = (): void => this.#oracle.began(epoch, head)
    const all = this.#clients.reduce((next, client) => () => client.changeEpoch(next), change)
    all()
    for (const { ledger } of this.#clients) ledger.disturb()
    this.#store.beginEpoch(epoch, head)
  }

  async #crash(): Promise<void> {
    this.#happened.crashes++
    if (this.#random.chance(0.3)) this.#beginEpoch()
    for (const client of this.#clients) client.crashed()
    if (this.#store.crash(new Error('The process is gone')) > 0) this.#spoiler.done()
    this.#areAppendsHeld = false
    this.#areReadsHeld = false
    await this.#noted
    await this.open()
  }

  #letTimePass(ms: number): void {
    this.#clock.advance(ms)
    for (const client of this.#clients) {
      client.hub?.hub.tick(this.#clock.now())
      if (client.isThere && this.#random.chance(PING_CHANCE)) client.transport?.send(PING)
    }
  }

  async #settle(): Promise<void> {
    await this.#clock.settle()
  }

  /** No client makes the server hold more than the options say, whatever it does. */
  #checkBounds(): void {
    const { highWaterMarkBytes, chunkBytesMax, statefulBufferBytes } = this.#limits
    const bound = highWaterMarkBytes + 2 * chunkBytesMax + LARGEST_BYTES
    for (const { transport, kind } of this.#clients) {
      const most = kind === 'numbers' ? bound + statefulBufferBytes : bound
      const { bufferedBytes } = transport ?? { bufferedBytes: 0 }
      if (bufferedBytes > most) throw new Error(`${bufferedBytes} bytes wait for a client; ${most} may`)
    }
  }
}

/** A tail that holds what a live client gets in one turn. */
const ROOMY = 25

function pickLimits(random: Random) {
  return {
    tailCountMax: 1 + random.below(60),
    tailBytesMax: random.chance(0.2) ? 4096 : 1_000_000,
    highWaterMarkBytes: 4096,
    chunkBytesMax: random.pick([1024, 4096, 16_384]),
    sliceConnections: random.pick([1, 2, 1000]),
    statefulBufferBytes: random.pick([8192, 100_000]),
    keepAliveIntervalMs: 15_000,
  }
}

function nothing(): Happenings {
  return {
    posts: 0,
    keyed: 0,
    intervals: 0,
    failedAppends: 0,
    unknownAppends: 0,
    heldAppends: 0,
    cuts: 0,
    unnoticedCuts: 0,
    stalls: 0,
    heldReads: 0,
    crashes: 0,
    epochs: 0,
    trims: 0,
    joins: 0,
    leaves: 0,
    checks: 0,
    messages: 0,
    gaps: 0,
    recoveries: 0,
    replaced: 0,
    waits: 0,
    calmEntries: 0,
    paces: 0,
    pacedChecks: 0,
    resumes: 0,
    reconnects: 0,
  }
}
