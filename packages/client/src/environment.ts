/**
 * What happens to a page. `online`: there is a network again. `visible`, `hidden`: it is looked at, or not.
 * `frozen`: it goes into the back-forward cache, or is left for good: nobody knows which. `thawed`: it comes out of that,
 * or out of a sleep that the browser has put it to.
 */
export type Sign = 'online' | 'visible' | 'hidden' | 'frozen' | 'thawed'

/** A part of the Web Storage that is needed here. */
export type KeptValues = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

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
  /** Has `listener` called with what happens to the page. Returns what stops that. */
  readonly onSign: (listener: (sign: Sign) => void) => () => void
  /** Whether nobody looks at the page. */
  readonly isHidden: () => boolean
  /** What outlives the page: of this tab, or of the whole browser. Undefined where nothing does. */
  readonly kept?: (area: 'tab' | 'browser') => KeptValues | undefined
}

/** A call that is to come. */
export interface Timer {
  /** Idempotent. */
  stop(): void
}

/** The surroundings of a page, a worker or a Node program, with what is given in their place. */
export function createEnvironment(given: Partial<Environment> = {}): Environment {
  return { now: Date.now, after, random: Math.random, reportError: report, onSign, isHidden, ...given }
}

function after(delayMs: number, run: () => void): Timer {
  const timer = setTimeout(run, delayMs)
  return { stop: () => clearTimeout(timer) }
}

function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}

function isHidden(): boolean {
  return typeof document === 'object' && document.visibilityState === 'hidden'
}

function onSign(listener: (sign: Sign) => void): () => void {
  if (typeof addEventListener !== 'function') return () => {}
  const stopping = new AbortController()
  const { signal } = stopping
  const on = (target: EventTarget, event: string, say: () => Sign): void =>
    target.addEventListener(event, () => listener(say()), { signal })
  on(globalThis, 'online', () => 'online')
  on(globalThis, 'pageshow', () => 'thawed')
  on(globalThis, 'pagehide', () => 'frozen')
  if (typeof document === 'object') {
    on(document, 'visibilitychange', () => (isHidden() ? 'hidden' : 'visible'))
    on(document, 'resume', () => 'thawed')
  }
  return () => stopping.abort()
}

/** What there is where an environment says nothing of it. To name them throws where the page may not use them; Node warns of its own. */
export function kept(area: 'tab' | 'browser'): KeptValues | undefined {
  if (typeof document !== 'object') return undefined
  try {
    return area === 'tab' ? sessionStorage : localStorage
  } catch {
    return undefined
  }
}
