import { ChannelError } from '../channel/channel-error.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import type { ServedConnection } from './served-connection.ts'

const HEARTBEAT_MS = 1000
const CLOSE_STEP_MS = 50

/** A place for one connection, taken before anything is known of the client but its address. */
export interface Seat {
  /** Counts the connection for its user. @throws ChannelError `too_many_connections` */
  assign(user: string | undefined): void
  /** Idempotent. */
  release(): void
}

/** All connections of a process, of whatever hub: how many there may be, and the one timer that watches over them. */
export class Roster {
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #connections = new Set<ServedConnection>()
  readonly #places: Places
  readonly #onBeat: ((now: number) => void)[] = []
  readonly #timer: Timer
  #closing: Timer | undefined
  #emptied: Promise<void> | undefined
  #onEmpty: (() => void) | undefined

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits
    this.#places = { limits, byAddress: new Map(), byUser: new Map(), taken: 0 }
    this.#clock = clock
    this.#timer = clock.every(HEARTBEAT_MS, () => this.#beat())
  }

  get count(): number {
    return this.#connections.size
  }

  /** Runs it with each beat, about once a second, as long as the roster is open. */
  onBeat(run: (now: number) => void): void {
    this.#onBeat.push(run)
  }

  /** @throws ChannelError `too_many_connections` */
  reserve(address: string): Seat {
    const { connectionsMax, connectionsPerAddressMax } = this.#limits
    const { byAddress } = this.#places
    if (this.#places.taken >= connectionsMax) throw tooMany(`This server has ${connectionsMax} connections already.`)
    if ((byAddress.get(address) ?? 0) >= connectionsPerAddressMax) {
      throw tooMany(`There are ${connectionsPerAddressMax} connections from this address already.`)
    }
    return new Place(address, this.#places)
  }

  add(connection: ServedConnection): void {
    this.#connections.add(connection)
  }

  remove(connection: ServedConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty?.()
  }

  /** Closes those connections with this reason. @returns how many */
  closeWhere(isMeant: (connection: ServedConnection) => boolean, error: ChannelError): number {
    const meant = [...this.#connections].filter(isMeant)
    for (const connection of meant) connection.close(error)
    return meant.length
  }

  /**
   * Closes all connections with this reason, in no order, over `spreadMs` or a millisecond for each if that is less, and
   * ends when they are gone. Idempotent.
   */
  async close(error: ChannelError, spreadMs = 0): Promise<void> {
    this.#emptied ??= new Promise((resolve) => {
      this.#onEmpty = resolve
      if (this.#connections.size === 0) resolve()
      this.#closeOver(error, Math.min(spreadMs, this.#connections.size))
    })
    await this.#emptied
    this.#closing?.stop()
    this.#timer.stop()
  }

  #closeOver(error: ChannelError, spreadMs: number): void {
    const steps = Math.ceil(spreadMs / CLOSE_STEP_MS)
    const perStep = Math.ceil(this.#connections.size / Math.max(1, steps))
    const inNoOrder = [...this.#connections].map((connection) => ({ connection, at: Math.random() }))
    inNoOrder.sort((a, b) => a.at - b.at)
    const step = (): void => {
      for (const { connection } of inNoOrder.splice(0, perStep)) connection.close(error)
      // Who came in the last moment goes with the last.
      if (inNoOrder.length > 0) return
      this.#closing?.stop()
      for (const connection of this.#connections) connection.close(error)
    }
    if (steps > 1) this.#closing = this.#clock.every(CLOSE_STEP_MS, step)
    step()
  }

  #beat(): void {
    const now = this.#clock.now()
    for (const connection of this.#connections) connection.tick(now)
    for (const run of this.#onBeat) run(now)
  }
}

/** How many places are taken, and by whom. */
interface Places {
  readonly limits: Limits
  readonly byAddress: Map<string, number>
  readonly byUser: Map<string, number>
  taken: number
}

/** Without a function of its own for each connection. */
class Place implements Seat {
  readonly #address: string
  readonly #places: Places
  #user: string | undefined
  #isReleased = false

  constructor(address: string, places: Places) {
    this.#address = address
    this.#places = places
    places.taken++
    count(places.byAddress, address, 1)
  }

  assign(user: string | undefined): void {
    if (user === undefined || this.#isReleased) return
    const { limits, byUser } = this.#places
    if ((byUser.get(user) ?? 0) >= limits.connectionsPerUserMax) {
      throw tooMany(`This user has ${limits.connectionsPerUserMax} connections already.`)
    }
    count(byUser, user, 1)
    this.#user = user
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#places.taken--
    count(this.#places.byAddress, this.#address, -1)
    if (this.#user !== undefined) count(this.#places.byUser, this.#user, -1)
  }
}

function count(counts: Map<string, number>, name: string, step: number): void {
  const next = (counts.get(name) ?? 0) + step
  if (next > 0) counts.set(name, next)
  else counts.delete(name)
}

function tooMany(detail: string): ChannelError {
  return new ChannelError('too_many_connections', `${detail} Try again in a while.`)
}
