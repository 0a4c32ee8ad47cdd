import type { Chunk } from '../channel/chunk.ts'

interface Kept {
  readonly chunk: Chunk
  /** Number of its first message. */
  readonly firstId: number
}

/**
 * What was sent and not acknowledged yet, by the number of each message, from 1. Bounded: beyond the bound the oldest go,
 * and what is left is no whole until the client has acknowledged those. Source: SIGNALR 2.11 R1.
 */
export class ReplayBuffer {
  readonly #bytesMax: number
  #kept: Kept[] = []
  #bytes = 0
  /** Messages sent. */
  #sentCount = 0
  #acknowledgedId = 0
  /** Newest message that had to go. */
  #lostId = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Whether everything that the client has not acknowledged is here. */
  get isComplete(): boolean {
    return this.#lostId <= this.#acknowledgedId
  }

  /** Whether it is better to send no more, of what can wait, until some is acknowledged. */
  get isHalfFull(): boolean {
    return this.#bytes * 2 >= this.#bytesMax
  }

  /** Number of the first message here, or of the next one where there is none. */
  get firstId(): number {
    return this.#kept[0]?.firstId ?? this.#sentCount + 1
  }

  /** Whether it can be kept without losing another. */
  hasRoomFor(chunk: Chunk): boolean {
    return this.#bytes + chunk.payload.length <= this.#bytesMax
  }

  add(chunk: Chunk): void {
    this.#kept.push({ chunk, firstId: this.#sentCount + 1 })
    this.#sentCount += chunk.countedMessages
    this.#bytes += chunk.payload.length
    let lost = 0
    while (this.#bytes > this.#bytesMax && lost < this.#kept.length) {
      const { chunk: oldest, firstId } = this.#kept[lost++] as Kept
      this.#bytes -= oldest.payload.length
      this.#lostId = firstId + oldest.countedMessages - 1
    }
    if (lost > 0) this.#kept.splice(0, lost)
  }

  /** The client has all messages up to this one. A number that was never sent says no more than the newest that was. */
  acknowledge(id: number): void {
    this.#acknowledgedId = Math.max(this.#acknowledgedId, Math.min(id, this.#sentCount))
    let done = 0
    for (const { chunk, firstId } of this.#kept) {
      if (firstId + chunk.countedMessages - 1 > this.#acknowledgedId) break
      this.#bytes -= chunk.payload.length
      done++
    }
    if (done > 0) this.#kept.splice(0, done)
  }

  *chunks(): Generator<Chunk, void, undefined> {
    for (const { chunk } of this.#kept) yield chunk
  }
}
