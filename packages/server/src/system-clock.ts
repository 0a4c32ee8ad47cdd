import type { Clock } from './channel/clock.ts'

/** The machine's own time and loop. */
export const systemClock: Clock = {
  now: () => Date.now(),
  soon(run) {
    setImmediate(run)
  },
  every(intervalMs, run) {
    const timer = setInterval(run, intervalMs).unref()
    return { stop: () => clearInterval(timer) }
  },
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs).unref()
    return { stop: () => clearTimeout(timer) }
  },
}

/** Keeps the process alive for so long. */
export function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
