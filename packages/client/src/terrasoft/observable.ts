import { ChannelError } from '../channel-error.ts'
import type { Environment } from '../environment.ts'
import { isObject } from './is-object.ts'
import { createListener, type EventHandler, type Listener, type ListenerOptions } from './listener.ts'
import {
  entriesOf,
  isDestroyable,
  type ListenArguments,
  type ListenerConfigs,
  type ListenerEntry,
  methodOf,
  requireMethod,
} from './listener-configs.ts'

/** What `destroyable` gives. */
export interface Destroyable {
  destroy(): void
}

/** What `mon` and `relayEvents` listen to: anything with these two. */
export interface Listenable {
  on(event: string, fn: EventHandler, scope?: object | null, options?: ListenerOptions): unknown
  un(event: string, fn: EventHandler, scope?: object | null): void
}

/** A handler that was added to another object, so that it goes when this one's handlers go. */
interface ManagedListener extends Pick<ListenerEntry, 'name' | 'scope'> {
  readonly item: Listenable
  readonly fn: EventHandler
}

/** Beyond this, events that are queued while suspended are dropped, and that is reported. */
const QUEUED_EVENTS_MAX = 10_000

/**
 * Events and handlers as ExtJS 4.2 has them (PARITY 2.2), but for one thing: a handler that throws is reported, and
 * those after it run.
 */
export class Observable<Events extends object> {
  readonly #environment: Environment
  readonly #onAdded: () => void
  /** By lower-cased name. Lists are replaced, never changed: a firing goes on with the one it began with. */
  readonly #events = new Map<string, readonly Listener[]>()
  #managed: readonly ManagedListener[] = []
  #suspensions = 0
  #queue: Array<readonly [string, readonly unknown[]]> | undefined

  /** `onAdded` is called after each handler that is added. */
  constructor(environment: Environment, onAdded: () => void = () => {}) {
    this.#environment = environment
    this.#onAdded = onAdded
  }

  /**
   * Adds a handler. It is called with its scope as `this`, default this object, and the event's arguments. The same
   * function with the same scope is added once. Returns something only with `destroyable`.
   *
   * @throws TypeError where there is no such function.
   */
  on<Name extends keyof Events>(
    event: Name,
    fn: (
      ...args: [...(Events[Name] extends readonly unknown[] ? Events[Name] : []), options: ListenerOptions]
    ) => unknown,
    scope?: object | null,
    options?: ListenerOptions,
  ): Destroyable | undefined
  on(
    event: string,
    fn: EventHandler | string,
    scope?: object | null,
    options?: ListenerOptions,
  ): Destroyable | undefined
  on(events: ListenerConfigs): Destroyable | undefined
  on(...args: ListenArguments): Destroyable | undefined {
    return this.#listen(args)
  }

  /** Takes a handler off: the same function and the same scope as it was added with. */
  un(event: string, fn: EventHandler | string, scope?: object | null): void
  un(events: ListenerConfigs): void
  un(...args: ListenArguments): void {
    this.#unlisten(args)
  }

  /** Another name of {@link Observable.on}. */
  readonly addListener: Observable<Events>['on'] = (...args: ListenArguments) => this.#listen(args)

  /** Another name of {@link Observable.un}. */
  readonly removeListener: Observable<Events>['un'] = (...args: ListenArguments) => this.#unlisten(args)

  /** Adds a handler to another object; it goes with `mun`, or when this object's own handlers are cleared. */
  mon(item: Listenable, ...args: ListenArguments): Destroyable | undefined {
    this.#manage(item, entriesOf(args))
    return isDestroyable(args) ? { destroy: () => this.mun(item, ...args) } : undefined
  }

  /** Takes off what `mon` added: with this function and scope, or with any where they are left out. */
  mun(item: Listenable, ...args: ListenArguments): void {
    for (const { name, fn, scope } of entriesOf(args)) {
      this.#unmanage(
        (managed) =>
          managed.item === item &&
          managed.name === name &&
          (!fn || managed.fn === methodOf(scope ?? item, fn)) &&
          (!scope || managed.scope === scope),
      )
    }
  }

  /** Fires the events of another object as its own, each under its name or with a prefix. */
  relayEvents(origin: Listenable, events: string | readonly string[], prefix = ''): Destroyable {
    const relayers = [events].flat().map((name) => ({
      name,
      fn: (...args: unknown[]): boolean => this.fireEvent(prefix + name, ...args),
      scope: undefined,
      options: undefined,
    }))
    this.#manage(origin, relayers)
    return {
      destroy: () => this.#unmanage((managed) => relayers.some(({ fn }) => fn === managed.fn)),
    }
  }

  /**
   * Calls an event's handlers with these arguments. Returns false where one of them did, which keeps it from those
   * after it.
   */
  fireEvent(event: string, ...args: readonly unknown[]): boolean {
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

  hasListener(event: string): boolean {
    return this.#events.has(event.toLowerCase())
  }

  /** Takes off every handler, those on other objects too, and drops the calls that are still to come. */
  clearListeners(): void {
    for (const listener of [...this.#events.values()].flat()) listener.cancel()
    this.#events.clear()
    this.clearManagedListeners()
  }

  /** Takes off everything that `mon` and `relayEvents` added to other objects. */
  clearManagedListeners(): void {
    this.#unmanage(() => true)
  }

  /** Fires nothing until as many calls of `resumeEvents()`. Events are dropped, or kept where `queue` is true, up to 10,000. */
  suspendEvents(queue = false): void {
    this.#suspensions++
    if (queue) this.#queue ??= []
  }

  resumeEvents(): void {
    if (this.#suspensions === 0 || --this.#suspensions > 0) return
    const queue = this.#queue ?? []
    this.#queue = undefined
    for (const [event, args] of queue) this.fireEvent(event, ...args)
  }

  #listen(args: ListenArguments): Destroyable | undefined {
    for (const entry of entriesOf(args)) this.#add(entry)
    return isDestroyable(args) ? { destroy: () => this.#unlisten(args) } : undefined
  }

  #unlisten(args: ListenArguments): void {
    for (const { name, fn, scope } of entriesOf(args)) this.#remove(name, fn, scope)
  }

  #add({ name: event, fn, scope, options }: ListenerEntry): void {
    const receiver = this.#scope(scope)
    const handler = requireMethod(event, receiver, fn)
    const name = event.toLowerCase()
    const listeners = this.#events.get(name) ?? []
    if (!listeners.some((listener) => isSame(listener, handler, receiver))) {
      const takeOff = (): void => this.#remove(name, handler, receiver)
      const added = createListener(handler, receiver, options, this.#environment, takeOff)
      const after = listeners.findIndex((listener) => listener.priority < added.priority)
      const index = after === -1 ? listeners.length : after
      this.#events.set(name, [...listeners.slice(0, index), added, ...listeners.slice(index)])
    }
    this.#onAdded()
  }

  #remove(event: string, fn: EventHandler | string | undefined, scope: unknown): void {
    const receiver = this.#scope(scope)
    const handler = methodOf(receiver, fn)
    const name = event.toLowerCase()
    const kept: Listener[] = []
    for (const listener of this.#events.get(name) ?? []) {
      if (isSame(listener, handler, receiver)) listener.cancel()
      else kept.push(listener)
    }
    if (kept.length > 0) this.#events.set(name, kept)
    else this.#events.delete(name)
  }

  #manage(item: Listenable, entries: readonly ListenerEntry[]): void {
    for (const { name, fn, scope, options } of entries) {
      const handler = requireMethod(name, scope ?? item, fn)
      item.on(name, handler, scope, options)
      this.#managed = [...this.#managed, { item, name, fn: handler, scope }]
    }
  }

  #unmanage(isMeant: (managed: ManagedListener) => boolean): void {
    const gone = this.#managed.filter(isMeant)
    this.#managed = this.#managed.filter((managed) => !gone.includes(managed))
    for (const { item, name, fn, scope } of gone) item.un(name, fn, scope)
  }

  #scope(scope: unknown): object {
    return isObject(scope) ? scope : this
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

function isSame(listener: Listener, fn: EventHandler | undefined, scope: object): boolean {
  return listener.fn === fn && listener.scope === scope
}
