import type { Transport } from '../channel/transport.ts'

/** What happened on a connection when, and so what is due. Milliseconds since 1970 come in. */
export class ConnectionTimes {
  readonly #transport: Transport
  readonly #openedAt: number
  #sentAt: number
  #beatAt: number
  #receivedAt: number
  /** A client that never pings is never timed out (SIGNALR 2.10 C1). */
  #hasPinged = false
  /** When the peer was last seen to take something, or had nothing to take. */
  #progressAt: number
  #takenBytes = 0

  constructor(transport: Transport, now: number) {
    this.#transport = transport
    this.#openedAt = this.#sentAt = this.#beatAt = this.#receivedAt = this.#progressAt = now
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

  /**
   * For how long nothing was said to the client, at most: of one beat all counts as its begin. To be asked with each.
   *
   * @param hasSpoken whether something was said since the beat before
   */
  unspokenMs(now: number, hasSpoken: boolean): number {
    if (hasSpoken) this.#sentAt = this.#beatAt
    this.#beatAt = now
    return now - this.#sentAt
  }

  /** For how long a client that pings has said nothing. */
  silentMs(now: number): number {
    return this.#hasPinged ? now - this.#receivedAt : 0
  }

  /** For how long the peer has taken nothing of what was written for it. To be asked with each beat. */
  stalledMs(now: number): number {
    const { bufferedBytes, takenBytes } = this.#transport
    if (bufferedBytes === 0 || takenBytes !== this.#takenBytes) this.#progressAt = now
    this.#takenBytes = takenBytes
    return now - this.#progressAt
  }
}
