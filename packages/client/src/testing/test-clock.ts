import type { Timer } from '../environment.ts'

interface Pending {
  readonly at: number
  readonly run: () => void
}

/** Time that passes when the test says so, and no sooner. */
export class TestClock {
  #now: number
  #pending: Pending[] = []

  constructor(now: number) {
    this.#now = now
  }

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

  /** Runs what comes due on the way, in its order, and lets promises settle after each. */
  async advance(durationMs: number): Promise<void> {
    const end = this.#now + durationMs
    await settle()
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next.at)
      this.#pending = this.#pending.filter((other) => other !== next)
      next.run()
      await settle()
    }
    this.#now = end
  }

  #next(): Pending | undefined {
    return this.#pending.reduce<Pending | undefined>(
      (first, pending) => (first && first.at <= pending.at ? first : pending),
      undefined,
    )
  }
}

/** All promises that can settle without time have done so. Not by a timer: test runners replace those. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener('message', () => {
      port1.close()
      resolve()
    })
    port1.start()
    port2.postMessage(undefined)
  })
}
