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
