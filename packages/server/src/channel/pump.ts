import type { Clock } from './clock.ts'

/** Something that writes what it has when its turn comes. */
export interface Pumped {
  pump(): void
}

/**
 * Runs all connections that have something to write once per loop turn, in slices, so that a message to very many
 * connections doesn't hold the loop.
 */
export class Pump {
  readonly #clock: Clock
  readonly #sliceCount: number
  readonly #onRoundEnd: () => void
  #awake: Pumped[] = []
  #next = 0
  #isScheduled = false

  constructor(clock: Clock, sliceCount: number, onRoundEnd: () => void) {
    this.#clock = clock
    this.#sliceCount = sliceCount
    this.#onRoundEnd = onRoundEnd
  }

  /** The caller sees to it that nobody is in twice. */
  add(pumped: Pumped): void {
    this.#awake.push(pumped)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.soon(this.#run)
  }

  readonly #run = (): void => {
    const end = Math.min(this.#next + this.#sliceCount, this.#awake.length)
    while (this.#next < end) this.#awake[this.#next++]?.pump()
    if (this.#next < this.#awake.length) {
      this.#clock.soon(this.#run)
      return
    }
    this.#awake = []
    this.#next = 0
    this.#isScheduled = false
    this.#onRoundEnd()
  }
}
