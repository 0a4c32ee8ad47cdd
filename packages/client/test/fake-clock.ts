import type { Timer } from '../src/environment.ts'

interface Pending {
  readonly at: number
  readonly run: () => void
}

/** Time that passes when the test says so. */
export class FakeClock {
  #now = 0
  #pending: Pending[] = []

  readonly now = (): number => this.#now

  readonly after = (delayMs: number, run: () => void): Timer => {
    const pending = { at: this.#now + delayMs, run }
    this.#pending.push(pending)
    return {
      stop: () => {
        this.#pending = this.#pending.filter((other) => other !== pending)
      },
    }
  }

  /** How many calls are still to come. */
  get pending(): number {
    return this.#pending.length
  }

  /** How long until the next of them; undefined where there is none. */
  get nextMs(): number | undefined {
    const next = this.#next()
    return next && next.at - this.#now
  }

  /** Runs what comes due on the way, in its order, and lets promises settle after each. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next.at)
      this.#pending = this.#pending.filter((other) => other !== next)
      next.run()
      await settle()
    }
    this.#now = end
  }

  /** The machine slept, or somebody set the clock: time is another, and no timer ran. */
  jump(ms: number): void {
    this.#now += ms
  }

  #next(): Pending | undefined {
    return this.#pending.reduce<Pending | undefined>(
      (first, pending) => (first && first.at <= pending.at ? first : pending),
      undefined,
    )
  }
}

/** All promises that can settle without time have done so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
