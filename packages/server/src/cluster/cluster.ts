import type { Audience } from '../channel/audience.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { LocalClients, RemoteInvokeOptions } from '../hub/remote-clients.ts'
import { AskedResults } from './asked-results.ts'
import { type AskedClient, AwaitedResults } from './awaited-results.ts'
import { toErrorText } from './error-text.ts'
import { fromInvocation } from './invocation-text.ts'
import { KNOWN_CONNECTIONS_MAX, Peer } from './peer.ts'
import { Questions } from './questions.ts'
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

export interface ClusterParts {
  /** Names this life of the node. */
  readonly id: string
  /** Where other nodes reach this one, if they should. */
  readonly address?: Address | undefined
  readonly clock: Clock
  /** How long the answers of other nodes are waited for. */
  readonly timeoutMs: number
  readonly signal: (text: string) => Promise<void>
  /**
   * Does what a node asks. @returns how many connections of this node it was about
   * @throws RangeError where a bound keeps it from being done
   */
  readonly answer: (question: Question) => number
  /** This node's hub at the path, if there is one. */
  readonly hubAt: (path: string) => LocalClients | undefined
  /** Told of nodes that tell their address. */
  readonly onAddress: (address: Address) => void
  /** Told of the names of those that are gone. */
  readonly onGone: (name: string) => void
  readonly onError: (error: unknown) => void
}

/** The nodes that have one log open: who is connected to which, what one asks of all, and who must stay away. */
export class Cluster {
  readonly #parts: ClusterParts
  readonly #reader = new SignalReader()
  readonly #peers = new Map<string, Peer>()
  /** This node's connections that have a user. */
  readonly #own = new Map<string, string>()
  readonly #questions: Questions
  readonly #awaited: AwaitedResults
  readonly #asked: AskedResults
  /** Users who may not connect, with the time until when. */
  readonly #blocked = new Map<string, number>()
  #told = 0
  #come: [string, string][] = []
  #gone: string[] = []
  #telling: Timer | undefined
  #beat: Timer | undefined

  constructor(parts: ClusterParts) {
    this.#parts = parts
    const { clock, timeoutMs, hubAt, onError } = parts
    const say = (signal: Signal): void => void this.#say(signal)
    this.#questions = new Questions(clock, timeoutMs)
    this.#awaited = new AwaitedResults({ clock, answerMs: timeoutMs, nodes: () => this.#peers.keys(), say })
    this.#asked = new AskedResults({ hubAt, say, onError })
  }

  get nodeCount(): number {
    return this.#peers.size + 1
  }

  open(): void {
    this.#beat = this.#parts.clock.every(BEAT_MS, () => this.#onBeat())
    this.#sayHere()
  }

  /** Says that it is going, and waits until that is said, or so long as for an answer. Idempotent. Never rejects. */
  async close(): Promise<void> {
    if (!this.#beat) return
    this.#beat.stop()
    this.#telling?.stop()
    this.#beat = undefined
    this.#questions.close()
    this.#awaited.close()
    const { clock, timeoutMs } = this.#parts
    const said = this.#say({ kind: 'bye' })
    let timer: Timer | undefined
    const waited = new Promise<void>((resolve) => {
      timer = clock.after(timeoutMs, resolve)
    })
    await Promise.race([said, waited])
    timer?.stop()
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
    const isOfOne = 'connection' in question
    return this.#questions.ask(
      this.#peers.keys(),
      isOfOne,
      (number) => void this.#say({ kind: 'ask', number, question }),
    )
  }

  /** Asks a client of another node for its result. */
  invoke(asked: AskedClient, options: RemoteInvokeOptions): Promise<unknown> {
    return this.#awaited.invoke(asked, options)
  }

  /** @throws RangeError where it is too large */
  call(path: string, audience: Audience, invocation: () => string): void {
    if (this.#peers.size > 0) void this.#say({ kind: 'call', path, audience, invocation: invocation() })
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
      case 'ask':
        this.#answer(peer.id, signal.number, signal.question)
        return
      case 'answer':
        if (signal.to !== this.#parts.id) return
        this.#questions.answered(peer.id, signal.number, signal.count, signal.error)
        return
      case 'call':
        this.#onCall(signal.path, signal.audience, signal.invocation)
        return
      case 'invoke':
        this.#asked.invoke(peer.id, signal)
        return
      case 'outcome':
        if (signal.to === this.#parts.id) this.#awaited.onOutcome(peer.id, signal.number, signal.outcome)
        return
      case 'giveUp':
        this.#asked.giveUp(peer.id, signal.number)
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
    void this.#say({ kind: 'retell', to: peer.id })
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

  #answer(to: string, number: number, question: Question): void {
    try {
      void this.#say({ kind: 'answer', to, number, count: this.#parts.answer(question) })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      void this.#say({ kind: 'answer', to, number, count: 0, error: toErrorText(error) })
    }
  }

  /** What is none of ours is passed over. */
  #onCall(path: string, audience: Audience, invocation: string): void {
    const hub = this.#parts.hubAt(path)
    const call = hub && fromInvocation(invocation)
    if (call) hub.send(audience, call.target, call.args)
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
    this.#questions.forget(id)
    this.#awaited.forget(id)
    this.#asked.forget(id)
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
    void this.#say({ kind: 'presence', told: ++this.#told, isWhole: false, come, gone, blocked: [] })
  }

  #tellAll(): void {
    this.#tell()
    const all = [...this.#own]
    const blocked = [...this.#blocked]
    for (let i = 0; i === 0 || i < all.length; i += TOLD_AT_ONCE) {
      const come = all.slice(i, i + TOLD_AT_ONCE)
      const isWhole = i === 0
      void this.#say({ kind: 'presence', told: ++this.#told, isWhole, come, gone: [], blocked: isWhole ? blocked : [] })
    }
  }

  #knownCount(): number {
    let count = 0
    for (const peer of this.#peers.values()) count += peer.connectionCount
    return count
  }

  #sayHere(): void {
    const { address } = this.#parts
    void this.#say({ kind: 'here', told: this.#told, ...(address && { address }) })
  }

  /** @returns ends when it is said, or can't be. @throws RangeError where it is too large */
  #say(signal: Signal): Promise<unknown> {
    const texts = toTexts(this.#parts.id, signal)
    return Promise.all(
      texts.map((text) => this.#parts.signal(text).catch((error: unknown) => this.#parts.onError(error))),
    )
  }
}
