/** What the channel takes from its surroundings: time, chance, and the page's signs of life. Tests pass their own. */
export interface Environment {
  /** Milliseconds. A clock that also runs while the machine sleeps, so that a dead connection shows at once. */
  readonly now: () => number
  /** Runs it once after `delayMs`, unless the timer is stopped. */
  readonly after: (delayMs: number, run: () => void) => Timer
  /** From 0 up to but not including 1. */
  readonly random: () => number
  /** Told of an error that a handler threw, so that the other handlers still run. */
  readonly reportError: (error: unknown) => void
  /** Has `wake` called when there is reason to think that a connection can be had again. Returns what stops that. */
  readonly onWake: (wake: () => void) => () => void
}

/** A call that is to come. */
export interface Timer {
  /** Idempotent. */
  stop(): void
}

/** The surroundings of a page, a worker or a Node program, with what is given in their place. */
export function createEnvironment(given: Partial<Environment> = {}): Environment {
  return { now, after, random, reportError: report, onWake, ...given }
}

function now(): number {
  return Date.now()
}

function after(delayMs: number, run: () => void): Timer {
  const timer = setTimeout(run, delayMs)
  return { stop: () => clearTimeout(timer) }
}

function random(): number {
  return Math.random()
}

function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}

/** The network is back, the page is looked at again, or it comes out of the back-forward cache. */
function onWake(wake: () => void): () => void {
  if (typeof addEventListener !== 'function') return () => {}
  const wakeIfVisible = (): void => {
    if (document.visibilityState === 'visible') wake()
  }
  const stopping = new AbortController()
  const { signal } = stopping
  addEventListener('online', wake, { signal })
  addEventListener('pageshow', wake, { signal })
  if (typeof document === 'object') document.addEventListener('visibilitychange', wakeIfVisible, { signal })
  return () => stopping.abort()
}
