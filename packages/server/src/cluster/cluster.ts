import type { Audience } from '../channel/audience.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import { KNOWN_CONNECTIONS_MAX, Peer } from './peer.ts'
import type { Address, Question, Signal } from './signal.ts'
import { SignalReader, toTexts } from './signal-text.ts'

const BEAT_MS = 1000
/** Three beats that did not come. */
const DEAD_MS = 3200
const TELL_MS = 50
/** Connections in one signal, so that it is told in one piece. */
const TOLD_AT_ONCE = 60
const PEERS_MAX = 1000
const ID_LENGTH_MAX = 64
const BLOCKED_MAX = 100_000
const QUESTIONS_MAX = 10_000

export interface ClusterParts {
  /** Names this life of the node. */
  readonly id: string
  /** Where other nodes reach this one, if they should. */
  readonly address?: Address | undefined
  readonly clock: Clock
  /** How long the answers of other nodes are waited for. */
  readonly timeoutMs: number
  readonly signal: (text: string) => Promise<void>
  /** Does what a node asks. @returns how many connections of this node it was about */
  readonly answer: (question: Question) => number
  readonly onCall: (path: string, audience: Audience, invocation: string) => void
  /** Told of nodes that tell their address. */
  readonly onAddress: (address: Address) => void
  /** Told of the names of those that are gone. */
  readonly onGone: (name: string) => void
  readonly onError: (error: unknown) => void
}

interface Asked {
  readonly waitsFor: Set<string>
  count: number
  readonly end: () => void
}

/** The nodes that have one log open: who is connected to which, what one asks of all, and who must stay away. */
export class Cluster {
  readonly #parts: ClusterParts
  readonly #reader = new SignalReader()
  readonly #peers = new Map<string, Peer>()
  /** This node's connections that have a user. */
  readonly #own = new Map<string, string>()
  readonly #questions = new Map<number, Asked>()
  /** Users who may not connect, with the time until when. */
  readonly #blocked = new Map<string, number>()
  #number = 0
  #told = 0
  #come: [string, string][] = []
  #gone: string[] = []
  #telling: Timer | undefined
  #beat: Timer | undefined

  constructor(parts: ClusterParts) {
    this.#parts = parts
  }

  get nodeCount(): number {
    return this.#peers.size + 1
  }

  open(): void {
    this.#beat = this.#parts.clock.every(BEAT_MS, () => this.#onBeat())
    this.#sayHere()
  }

  close(): void {
    if (!this.#beat) return
    this.#beat.stop()
    this.#telling?.stop()
    this.#beat = undefined
    this.#say({ kind: 'bye' })
    for (const { end } of this.#questions.values()) end()
  }

  /** A connection of this node has come. */
  came(connection: string, user: string): void {
    this.#own.set(connection, user)
    if (this.#peers.size === 0) return
    this.#come.push([connection, user])
    this.#tellSoon()
  }

  /** A connection of this node is gone. */
  left(connection: string): void {
    if (!this.#own.delete(connection) || this.#peers.size === 0) return
    this.#gone.push(connection)
    this.#tellSoon()
  }

  /** Connections of the user at other nodes. */
  *connectionsOf(user: string): Generator<string, void, undefined> {
    for (const peer of this.#peers.values()) yield* peer.connectionsOf(user)
  }

  /** Users of other nodes; one may come twice. */
  *users(): Generator<string, void, undefined> {
    for (const peer of this.#peers.values()) yield* peer.users
  }

  /** Asks all other nodes, and waits until all have answered, or so long. @returns the sum of what they say */
  ask(question: Question): Promise<number> {
    if (this.#peers.size === 0) return Promise.resolve(0)
    if (this.#questions.size >= QUESTIONS_MAX) {
      return Promise.reject(new RangeError(`${QUESTIONS_MAX} questions to other nodes wait for their answer already.`))
    }
    const number = ++this.#number
    return new Promise((resolve) => {
      const end = (): void => {
        timer.stop()
        this.#questions.delete(number)
        resolve(asked.count)
      }
      const timer = this.#parts.clock.after(this.#parts.timeoutMs, end)
      const asked: Asked = { waitsFor: new Set(this.#peers.keys()), count: 0, end }
      this.#questions.set(number, asked)
      this.#say({ kind: 'ask', number, question })
    })
  }

  /** @throws RangeError where it is too large */
  call(path: string, audience: Audience, invocation: () => string): void {
    if (this.#peers.size > 0) this.#say({ kind: 'call', path, audience, invocation: invocation() })
  }

  block(user: string, until: number): void {
    if (until <= this.#parts.clock.now()) return
    const [oldest] = this.#blocked.size >= BLOCKED_MAX ? this.#blocked.keys() : []
    if (oldest !== undefined) this.#blocked.delete(oldest)
    this.#blocked.set(user, until)
  }

  allow(user: string): void {
    this.#blocked.delete(user)
  }

  isBlocked(user: string): boolean {
    const until = this.#blocked.get(user)
    if (until === undefined) return false
    if (until > this.#parts.clock.now()) return true
    this.#blocked.delete(user)
    return false
  }

  /** Another node said this. */
  hear(text: string): void {
    const said = this.#reader.read(text)
    if (!said || said.from === this.#parts.id || !this.#beat) return
    const { from, signal } = said
    if (signal.kind === 'bye') {
      this.#forget(from)
      return
    }
    const peer = this.#peers.get(from) ?? this.#meet(from)
    if (!peer) return
    peer.heardAt = this.#parts.clock.now()
    try {
      this.#take(peer, signal)
    } catch (error) {
      // Whoever can write to the store can say anything: it must end nothing.
      this.#parts.onError(error)
    }
  }

  #take(peer: Peer, signal: Exclude<Signal, { readonly kind: 'bye' }>): void {
    switch (signal.kind) {
      case 'here':
        this.#onHere(peer, signal)
        return
      case 'retell':
        if (signal.to === this.#parts.id) this.#tellAll()
        return
      case 'presence':
        this.#onPresence(peer, signal)
        return
      case 'ask': {
        const count = this.#parts.answer(signal.question)
        this.#say({ kind: 'answer', to: peer.id, number: signal.number, count })
        return
      }
      case 'answer':
        if (signal.to === this.#parts.id) this.#onAnswer(peer.id, signal.number, signal.count)
        return
      case 'call':
        this.#parts.onCall(signal.path, signal.audience, signal.invocation)
        return
      default:
        // Of a newer version.
        signal satisfies never
    }
  }

  /** Nodes that see each other for the first time say so at once. */
  #meet(id: string): Peer | undefined {
    if (this.#peers.size >= PEERS_MAX || id.length > ID_LENGTH_MAX) return undefined
    const peer = new Peer(id, this.#parts.clock.now())
    this.#peers.set(id, peer)
    this.#sayHere()
    return peer
  }

  #onHere(peer: Peer, { told, address }: Extract<Signal, { readonly kind: 'here' }>): void {
    if (address && peer.address?.proof !== address.proof) {
      peer.address = address
      this.#parts.onAddress(address)
    }
    if (peer.told === told) return
    const now = this.#parts.clock.now()
    if (now - peer.askedAt < BEAT_MS) return
    peer.askedAt = now
    this.#say({ kind: 'retell', to: peer.id })
  }

  #onPresence(peer: Peer, signal: Extract<Signal, { readonly kind: 'presence' }>): void {
    if (signal.isWhole) peer.clear()
    else if (peer.told === undefined || signal.told !== peer.told + 1) {
      peer.told = undefined
      return
    }
    peer.told = signal.told
    for (const [connection, user] of signal.come) {
      if (this.#knownCount() < KNOWN_CONNECTIONS_MAX) peer.come(connection, user)
    }
    for (const connection of signal.gone) peer.gone(connection)
    for (const [user, until] of signal.blocked) this.block(user, until)
  }

  #onAnswer(from: string, number: number, count: number): void {
    const asked = this.#questions.get(number)
    if (!asked?.waitsFor.delete(from)) return
    asked.count += count
    if (asked.waitsFor.size === 0) asked.end()
  }

  #onBeat(): void {
    this.#sayHere()
    const oldest = this.#parts.clock.now() - DEAD_MS
    for (const peer of this.#peers.values()) if (peer.heardAt < oldest) this.#forget(peer.id)
  }

  #forget(id: string): void {
    const peer = this.#peers.get(id)
    if (!peer) return
    this.#peers.delete(id)
    this.#reader.forget(id)
    for (const asked of this.#questions.values()) {
      if (asked.waitsFor.delete(id) && asked.waitsFor.size === 0) asked.end()
    }
    const name = peer.address?.name
    // One that was started again under its name is another peer.
    const isThere = [...this.#peers.values()].some(({ address }) => address?.name === name)
    if (name !== undefined && !isThere) this.#parts.onGone(name)
  }

  #tellSoon(): void {
    if (this.#come.length + this.#gone.length >= TOLD_AT_ONCE) this.#tell()
    else this.#telling ??= this.#parts.clock.after(TELL_MS, () => this.#tell())
  }

  #tell(): void {
    this.#telling?.stop()
    this.#telling = undefined
    const come = this.#come.splice(0)
    const gone = this.#gone.splice(0)
    if (come.length + gone.length === 0) return
    // Who came and left within this moment is said to have left last.
    this.#say({ kind: 'presence', told: ++this.#told, isWhole: false, come, gone, blocked: [] })
  }

  #tellAll(): void {
    this.#tell()
    const all = [...this.#own]
    const blocked = [...this.#blocked]
    for (let i = 0; i === 0 || i < all.length; i += TOLD_AT_ONCE) {
      const come = all.slice(i, i + TOLD_AT_ONCE)
      const isWhole = i === 0
      this.#say({ kind: 'presence', told: ++this.#told, isWhole, come, gone: [], blocked: isWhole ? blocked : [] })
    }
  }

  #knownCount(): number {
    let count = 0
    for (const peer of this.#peers.values()) count += peer.connectionCount
    return count
  }

  #sayHere(): void {
    const { address } = this.#parts
    this.#say({ kind: 'here', told: this.#told, ...(address && { address }) })
  }

  #say(signal: Signal): void {
    for (const text of toTexts(this.#parts.id, signal)) {
      this.#parts.signal(text).catch((error: unknown) => this.#parts.onError(error))
    }
  }
}
