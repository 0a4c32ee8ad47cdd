import type { Transport } from '../channel/transport.ts'
import { StallWatch } from './stall-watch.ts'

/** What happened on a hub's connection when, and so what is due. Milliseconds since 1970 come in. */
export class ConnectionTimes {
  readonly #stallWatch: StallWatch
  readonly #openedAt: number
  #sentAt: number
  /** Something was sent since the beat before: when exactly is not worth a look at the clock for each message. */
  #hasSent = false
  #beatAt: number
  #receivedAt: number
  /** A client that never pings is never timed out (SIGNALR 2.10 C1). */
  #hasPinged = false

  constructor(transport: Transport, now: number) {
    this.#stallWatch = new StallWatch(transport, now)
    this.#openedAt = this.#sentAt = this.#beatAt = this.#receivedAt = now
  }

  sent(): void {
    this.#hasSent = true
  }

  received(now: number): void {
    this.#receivedAt = now
  }

  pinged(): void {
    this.#hasPinged = true
  }

  openMs(now: number): number {
    return now - this.#openedAt
  }

  /** For how long nothing was said to the client, at most: of one beat all counts as its begin. To be asked with each. */
  unspokenMs(now: number): number {
    if (this.#hasSent) this.#sentAt = this.#beatAt
    this.#hasSent = false
    this.#beatAt = now
    return now - this.#sentAt
  }

  /** For how long a client that pings has said nothing. */
  silentMs(now: number): number {
    return this.#hasPinged ? now - this.#receivedAt : 0
  }

  stalledMs(now: number): number {
    return this.#stallWatch.stalledMs(now)
  }
}
