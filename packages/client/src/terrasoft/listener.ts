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
  const delays = createTimers(environment)
  const buffers = createTimers(environment)
  // Each wraps the one before, in this order: a target is looked at only when a buffered call is made.
  let fire = (args: readonly unknown[]): unknown => Reflect.apply(fn, scope, args)
  if (single) fire = once(fire, takeOff)
  if (target) fire = forTarget(fire, target)
  if (delay) fire = delayed(fire, delay, delays)
  if (buffer) fire = buffered(fire, buffer, buffers)
  const call = fire
  return {
    fn,
    scope,
    priority,
    fire: options ? (args) => call([...args, options]) : call,
    cancel() {
      delays.cancel()
      buffers.cancel()
    },
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
  return (args) => {
    timers.cancel()
    timers.add(delayMs, () => fire(args))
  }
}

/** The calls to come of one handler. */
interface Timers {
  add(delayMs: number, run: () => void): void
  cancel(): void
}

function createTimers({ after, reportError }: Environment): Timers {
  const timers = new Set<Timer>()
  return {
    add(delayMs, run) {
      const running = after(delayMs, () => {
        timers.delete(running)
        try {
          run()
        } catch (error) {
          reportError(error)
        }
      })
      timers.add(running)
    },
    cancel() {
      for (const timer of timers) timer.stop()
      timers.clear()
    },
  }
}
