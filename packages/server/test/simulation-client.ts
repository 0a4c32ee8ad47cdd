import type { Random } from '../../protocol/test/random.ts'
import { decode, type Received } from './fake-outlet.ts'
import { FakeTransport } from './fake-transport.ts'
import { type HubClient, type HubScene, PING } from './hub-scene.ts'
import { Ledger } from './simulation-ledger.ts'
import type { Member, Oracle, Stay } from './simulation-oracle.ts'

/**
 * `positions`: it comes back with its position, as this project's client does. `numbers`: it counts messages, acknowledges
 * them and takes up its connection again, as a stock client with stateful reconnect does.
 */
export type ClientKind = 'positions' | 'numbers'

const STATEFUL_HANDSHAKE = '{"protocol":"json","version":2}\x1e'

/** A client that comes back whenever it is cut off. */
export class SimulatedClient implements Member {
  readonly user: string
  readonly groups: readonly string[]
  readonly connectionIds: string[] = []
  readonly stays: Stay[] = []
  readonly kind: ClientKind
  readonly ledger: Ledger
  /** How often it took up its connection again, and how often it came back with a position. */
  reconnects = 0
  resumes = 0
  readonly #oracle: Oracle
  #hub: HubClient | undefined
  /** Undefined: it is cut off. */
  #transport: FakeTransport | undefined
  /** Messages that it has got on this connection, as stateful reconnect counts them. */
  #count = 0
  /** Number of the next message that comes. */
  #next = 1

  constructor(number: number, kind: ClientKind, oracle: Oracle) {
    this.user = `user-${number % 3}`
    this.groups = number % 2 ? ['odd'] : ['even', 'both']
    this.kind = kind
    this.#oracle = oracle
    this.ledger = new Ledger(oracle, this)
  }

  get transport(): FakeTransport | undefined {
    return this.#transport
  }

  get hub(): HubClient | undefined {
    return this.#hub
  }

  get isThere(): boolean {
    return this.#transport !== undefined && !this.#transport.isGone && this.#transport.closedWith === undefined
  }

  /** Whether the server's end of it is still registered. */
  get isRegistered(): boolean {
    return this.#hub !== undefined && this.#hub.ends.length === 0
  }

  /** @param position where it says that it was, if that is not so */
  connect(scene: HubScene, id: string, random: Random, position = this.ledger.position): void {
    if (this.kind === 'numbers' && this.#hub?.hub.canResume) this.#reconnect(this.#hub)
    else this.#begin(scene, id, position)
    this.#transport?.send(PING)
    if (this.#transport) this.#transport.isTaking = random.chance(0.7)
    this.ledger.disturb()
  }

  /** The network breaks. `isNoticed`: the server's end is told. */
  cut(isNoticed: boolean): void {
    const transport = this.#transport
    this.#transport = undefined
    this.ledger.disturb()
    if (this.kind === 'positions') this.#endStays()
    if (isNoticed) transport?.hangUp(true)
  }

  /** The server's process is gone, and with it all that it knew. */
  crashed(): void {
    this.cut(true)
    this.#hub = undefined
    this.#endStays()
  }

  acknowledge(): void {
    if (this.kind === 'numbers' && this.isThere) this.#transport?.send(`{"type":8,"sequenceId":${this.#count}}\x1e`)
  }

  joined(group: string): void {
    if (this.stays.some((stay) => stay.group === group && stay.to === undefined)) return
    this.stays.push({ group, epoch: this.#oracle.epoch, from: this.#oracle.head, to: undefined })
  }

  left(group: string): void {
    for (const stay of this.stays) if (stay.group === group) stay.to ??= this.#oracle.head
  }

  /** It stays in its groups over the end of an epoch. To be called before and after that. */
  changeEpoch(change: () => void): void {
    const groups = this.stays.filter(({ to }) => to === undefined).map(({ group }) => group)
    this.#endStays()
    change()
    for (const group of groups) this.joined(group)
  }

  /** What it takes of what waits for it, messages that it has had left out. */
  take(count: number): Received[] {
    const transport = this.#transport
    if (!transport) return []
    transport.take(Math.min(count, transport.pipe.length))
    const text = transport.taken
      .splice(0)
      .map(({ payload }) => payload.toString())
      .join('')
    return text
      .split('\x1e')
      .slice(0, -1)
      .flatMap((record) => this.#receive(record))
  }

  #begin(scene: HubScene, id: string, position: string): void {
    const { user, groups, ledger, kind } = this
    this.#endStays()
    this.connectionIds.push(id)
    const identity = { user, groups }
    if (kind === 'numbers') ledger.begin()
    else if (ledger.position !== '') this.resumes++
    if (kind === 'positions') this.#hub = scene.connect(id, { identity, position })
    else {
      this.#hub = scene.connect(id, { identity, isStateful: true, shakesHands: false })
      this.#hub.transport.send(STATEFUL_HANDSHAKE)
    }
    this.#transport = this.#hub.transport
    this.#count = 0
    this.#next = 1
  }

  #reconnect({ hub }: HubClient): void {
    this.reconnects++
    this.#transport = new FakeTransport()
    hub.resumeOn(this.#transport)
    this.#transport.send('{"type":9,"sequenceId":1}\x1e')
  }

  #receive(record: string): Received[] {
    if (this.kind === 'positions') return decode(record)
    const { type, sequenceId } = JSON.parse(record) as { type?: number; sequenceId?: number }
    if (type === 9 && sequenceId !== undefined) {
      if (sequenceId > this.#count + 1) throw new Error(`The server goes on with ${sequenceId} after ${this.#count}`)
      this.#next = sequenceId
    }
    if (type === undefined || type > 5) return []
    const number = this.#next++
    if (number <= this.#count) return []
    this.#count = number
    return decode(record)
  }

  #endStays(): void {
    for (const stay of this.stays) stay.to ??= this.#oracle.head
  }
}
