import { ChannelError } from '../channel/channel-error.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import type { ServedConnection } from './served-connection.ts'

const HEARTBEAT_MS = 1000

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
  readonly #byAddress = new Map<string, number>()
  readonly #byUser = new Map<string, number>()
  readonly #onBeat: ((now: number) => void)[] = []
  #seats = 0
  readonly #timer: Timer
  #emptied: Promise<void> | undefined
  #onEmpty: (() => void) | undefined

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits
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
    if (this.#seats >= connectionsMax) throw tooMany(`This server has ${connectionsMax} connections already.`)
    if ((this.#byAddress.get(address) ?? 0) >= connectionsPerAddressMax) {
      throw tooMany(`There are ${connectionsPerAddressMax} connections from this address already.`)
    }
    this.#seats++
    count(this.#byAddress, address, 1)
    let seatedUser: string | undefined
    let isReleased = false
    return {
      assign: (user) => {
        if (user === undefined || isReleased) return
        const { connectionsPerUserMax } = this.#limits
        if ((this.#byUser.get(user) ?? 0) >= connectionsPerUserMax) {
          throw tooMany(`This user has ${connectionsPerUserMax} connections already.`)
        }
        count(this.#byUser, user, 1)
        seatedUser = user
      },
      release: () => {
        if (isReleased) return
        isReleased = true
        this.#seats--
        count(this.#byAddress, address, -1)
        if (seatedUser !== undefined) count(this.#byUser, seatedUser, -1)
      },
    }
  }

  add(connection: ServedConnection): void {
    this.#connections.add(connection)
  }

  remove(connection: ServedConnection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onEmpty?.()
  }

  /** Closes all connections with this reason, and ends when they are gone. Idempotent. */
  async close(error: ChannelError): Promise<void> {
    for (const connection of this.#connections) connection.close(error)
    this.#emptied ??= new Promise((resolve) => {
      this.#onEmpty = resolve
      if (this.#connections.size === 0) resolve()
    })
    await this.#emptied
    this.#timer.stop()
  }

  #beat(): void {
    const now = this.#clock.now()
    for (const connection of this.#connections) connection.tick(now)
    for (const run of this.#onBeat) run(now)
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
