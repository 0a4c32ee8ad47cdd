import type { Transport } from '../channel/transport.ts'

/** How long a client has taken nothing of what was written for it. */
export class StallWatch {
  readonly #transport: Transport
  /** When the peer was last seen to take something, or had nothing to take. */
  #progressAt: number
  #takenBytes = 0

  constructor(transport: Transport, now: number) {
    this.#transport = transport
    this.#progressAt = now
  }

  stalledMs(now: number): number {
    const { bufferedBytes, takenBytes } = this.#transport
    if (bufferedBytes === 0 || takenBytes !== this.#takenBytes) this.#progressAt = now
    this.#takenBytes = takenBytes
    return now - this.#progressAt
  }
}
