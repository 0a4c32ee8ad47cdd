import { ChannelError } from '../channel-error.ts'
import type { Environment } from '../environment.ts'
import { isObject } from './is-object.ts'
import { createListener, type EventHandler, type Listener, type ListenerOptions } from './listener.ts'

/** One event in the object form of `on` and `un`: a handler, the name of a method, or one with options of its own. */
export type ListenerConfig =
  | EventHandler
  | string
  | (ListenerOptions & { readonly fn: EventHandler | string; readonly scope?: object })

/** `on({ message: fn, opened: { fn, single: true }, scope })`: events by their name, options for all of them. */
export type ListenerConfigs = ListenerOptions & { readonly scope?: object } & Readonly<Record<string, unknown>>

/** What `destroyable` gives. */
export interface Destroyable {
  destroy(): void
}

/** Of the object form: these are not events. */
const OPTION_NAMES: ReadonlySet<string> = new Set([
  'scope',
  'single',
  'delay',
  'buffer',
  'target',
  'priority',
  'destroyable',
])
/** Beyond this, events that are queued while suspended are dropped, and that is reported. */
const QUEUED_EVENTS_MAX = 10_000

/**
 * Events and handlers as ExtJS 4.2 has them (PARITY 2.2), but for one thing: a handler that throws is reported, and
 * those after it run.
 */
export class Observable {
  readonly #owner: object
  readonly #environment: Environment
  /** By lower-cased name. Lists are replaced, never changed: a firing goes on with the one it began with. */
  readonly #events = new Map<string, readonly Listener[]>()
  #suspensions = 0
  #queue: Array<readonly [string, readonly unknown[]]> | undefined

  /** `owner` is the scope of handlers that were given none. */
  constructor(owner: object, environment: Environment) {
    this.#owner = owner
    this.#environment = environment
  }

  /** @throws TypeError where the scope has no method of the given name. */
  add(
    event: string | ListenerConfigs,
    fn?: EventHandler | string,
    scope?: object | null,
    options?: ListenerOptions,
  ): Destroyable | undefined {
    if (typeof event !== 'string') {
      for (const { name, ...each } of entriesOf(event)) this.#add(name, each.fn, each.scope, each.options)
      return event.destroyable ? { destroy: () => this.remove(event) } : undefined
    }
    this.#add(event, fn, scope, options)
    return options?.destroyable ? { destroy: () => this.remove(event, fn, scope) } : undefined
  }

  /** Takes off the handler that was added with the same function and the same scope; else does nothing. */
  remove(event: string | ListenerConfigs, fn?: EventHandler | string, scope?: object | null): void {
    if (typeof event === 'string') this.#remove(event, fn, scope)
    else for (const each of entriesOf(event)) this.#remove(each.name, each.fn, each.scope)
  }

  /** Calls the event's handlers. Returns false where one returned false, which keeps it from those after it. */
  fire(event: string, args: readonly unknown[]): boolean {
    if (this.#suspensions > 0) {
      this.#enqueue(event, args)
      return true
    }
    for (const listener of this.#events.get(event.toLowerCase()) ?? []) {
      try {
        if (listener.fire(args) === false) return false
      } catch (error) {
        this.#environment.reportError(error)
      }
    }
    return true
  }

  has(event: string): boolean {
    return this.#events.has(event.toLowerCase())
  }

  clear(): void {
    for (const listeners of this.#events.values()) {
      for (const listener of listeners) listener.cancel()
    }
    this.#events.clear()
  }

  /** Events are dropped, or kept where `queue` is true, until there are as many calls of `resume`. */
  suspend(queue = false): void {
    this.#suspensions++
    if (queue) this.#queue ??= []
  }

  resume(): void {
    if (this.#suspensions === 0 || --this.#suspensions > 0) return
    const queue = this.#queue ?? []
    this.#queue = undefined
    for (const [event, args] of queue) this.fire(event, args)
  }

  #add(event: string, fn: EventHandler | string | undefined, scope: unknown, options?: ListenerOptions): void {
    const receiver = this.#scope(scope)
    const handler = methodOf(receiver, fn)
    if (!handler) throw new TypeError(`on('${event}') needs a function, or the name of a method of its scope.`)
    const name = event.toLowerCase()
    const listeners = this.#events.get(name) ?? []
    if (listeners.some((listener) => isSame(listener, handler, receiver))) return
    const takeOff = (): void => this.#remove(name, handler, receiver)
    const added = createListener(handler, receiver, options, this.#environment, takeOff)
    const after = listeners.findIndex((listener) => listener.priority < added.priority)
    const index = after === -1 ? listeners.length : after
    this.#events.set(name, [...listeners.slice(0, index), added, ...listeners.slice(index)])
  }

  #remove(event: string, fn: EventHandler | string | undefined, scope: unknown): void {
    const receiver = this.#scope(scope)
    const handler = methodOf(receiver, fn)
    const name = event.toLowerCase()
    const listeners = this.#events.get(name) ?? []
    const removed = listeners.find((listener) => isSame(listener, handler, receiver))
    if (!removed) return
    removed.cancel()
    if (listeners.length === 1) this.#events.delete(name)
    else {
      this.#events.set(
        name,
        listeners.filter((listener) => listener !== removed),
      )
    }
  }

  #scope(scope: unknown): object {
    return isObject(scope) ? scope : this.#owner
  }

  #enqueue(event: string, args: readonly unknown[]): void {
    if (!this.#queue) return
    if (this.#queue.length < QUEUED_EVENTS_MAX) {
      this.#queue.push([event, args])
      return
    }
    const text = `More than ${QUEUED_EVENTS_MAX} events came while they were suspended; '${event}' is dropped.`
    this.#environment.reportError(new ChannelError('buffer_overflow', text))
  }
}

interface ConfigEntry {
  readonly name: string
  readonly fn: EventHandler | string
  readonly scope: unknown
  readonly options: ListenerOptions
}

/** The events of the object form, each with its handler and with its own options or else those of all. */
function entriesOf(configs: ListenerConfigs): ConfigEntry[] {
  return Object.entries(configs)
    .filter(([name]) => !OPTION_NAMES.has(name))
    .map(([name, config]) => {
      // The page's own object, of which the types promise this much.
      const given = config as ListenerConfig
      if (typeof given !== 'object') return { name, fn: given, scope: configs.scope, options: configs }
      return { name, fn: given.fn, scope: given.scope ?? configs.scope, options: given }
    })
}

function methodOf(scope: object, fn: EventHandler | string | undefined): EventHandler | undefined {
  const method: unknown = typeof fn === 'string' ? Reflect.get(scope, fn) : fn
  return typeof method === 'function' ? (method as EventHandler) : undefined
}

function isSame(listener: Listener, fn: EventHandler | undefined, scope: object): boolean {
  return listener.fn === fn && listener.scope === scope
}
