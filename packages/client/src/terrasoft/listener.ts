import type { Environment, Timer } from '../environment.ts'

/** A handler of any arguments, called with its scope as `this`. */
export type EventHandler = (...args: never[]) => unknown

/** How a handler is called. Times are in milliseconds. Source: PARITY 2.2. */
export interface ListenerOptions {
  /** It is called once and then taken off. */
  readonly single?: boolean
  /** It is called so much later, once for each event. */
  readonly delay?: number
  /** It is called so much after the last event, with the last one's arguments. */
  readonly buffer?: number
  /** It is called only where this is the event's first argument. */
  readonly target?: unknown
  /** Higher ones are called first; default 0. */
  readonly priority?: number
  /** `on` returns an object whose `destroy()` takes it off. */
  readonly destroyable?: boolean
}

/** One handler of one event. */
export interface Listener {
  readonly fn: EventHandler
  readonly scope: object
  readonly priority: number
  /** Returns what the handler returned; undefined where it is called later or not at all. */
  readonly fire: (args: readonly unknown[]) => unknown
  /** Drops the calls that are still to come. */
  readonly cancel: () => void
}

/** `takeOff` is called before the one call of a `single` handler. */
export function createListener(
  fn: EventHandler,
  scope: object,
  options: ListenerOptions | undefined,
  environment: Environment,
  takeOff: () => void,
): Listener {
  const { single, target, delay, buffer, priority = 0 } = options ?? {}
  const timers = new Timers(environment)
  // Each wraps the one before, in this order: a target is looked at only when a buffered call is made.
  let fire = (args: readonly unknown[]): unknown => Reflect.apply(fn, scope, args)
  if (single) fire = once(fire, takeOff)
  if (target) fire = forTarget(fire, target)
  if (delay) fire = delayed(fire, delay, timers)
  if (buffer) fire = buffered(fire, buffer, timers)
  const call = fire
  return {
    fn,
    scope,
    priority,
    fire: options ? (args) => call([...args, options]) : call,
    cancel: () => timers.cancel(),
  }
}

type Fire = Listener['fire']

function once(fire: Fire, takeOff: () => void): Fire {
  let hasFired = false
  return (args) => {
    if (hasFired) return undefined
    hasFired = true
    takeOff()
    return fire(args)
  }
}

function forTarget(fire: Fire, target: unknown): Fire {
  return (args) => (args[0] === target ? fire(args) : undefined)
}

function delayed(fire: Fire, delayMs: number, timers: Timers): Fire {
  return (args) => {
    timers.add(delayMs, () => fire(args))
  }
}

function buffered(fire: Fire, delayMs: number, timers: Timers): Fire {
  let last: Timer | undefined
  return (args) => {
    last?.stop()
    last = timers.add(delayMs, () => fire(args))
  }
}

/** The calls to come of one handler. */
class Timers {
  readonly #environment: Environment
  readonly #timers = new Set<Timer>()

  constructor(environment: Environment) {
    this.#environment = environment
  }

  add(delayMs: number, run: () => void): Timer {
    const { after, reportError } = this.#environment
    const running = after(delayMs, () => {
      this.#timers.delete(timer)
      try {
        run()
      } catch (error) {
        reportError(error)
      }
    })
    const timer: Timer = {
      stop: () => {
        running.stop()
        this.#timers.delete(timer)
      },
    }
    this.#timers.add(timer)
    return timer
  }

  cancel(): void {
    for (const timer of this.#timers) timer.stop()
  }
}
