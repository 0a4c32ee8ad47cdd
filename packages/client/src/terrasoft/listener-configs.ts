import type { EventHandler, ListenerOptions } from './listener.ts'

/** One event in the object form of `on` and `un`: a handler, the name of a method, or one with options of its own. */
export type ListenerConfig =
  | EventHandler
  | string
  | (ListenerOptions & { readonly fn: EventHandler | string; readonly scope?: object })

/** `on({ message: fn, opened: { fn, single: true }, scope })`: events by their name, options for all of them. */
export type ListenerConfigs = ListenerOptions & { readonly scope?: object } & Readonly<Record<string, unknown>>

/** What `on`, `mon` and their like can be given: an event with its handler, or several events as an object. */
export type ListenArguments = [
  event: string | ListenerConfigs,
  fn?: EventHandler | string,
  scope?: object | null,
  options?: ListenerOptions,
]

/** One handler for one event. */
export interface ListenerEntry {
  readonly name: string
  readonly fn: EventHandler | string | undefined
  readonly scope: object | null | undefined
  readonly options: ListenerOptions | undefined
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

/** The handlers that are meant; those of the object form have options of their own, or else those of all. */
export function entriesOf([event, fn, scope, options]: ListenArguments): ListenerEntry[] {
  if (typeof event === 'string') return [{ name: event, fn, scope, options }]
  return Object.entries(event)
    .filter(([name]) => !OPTION_NAMES.has(name))
    .map(([name, config]) => {
      // The page's own object, of which the types promise this much.
      const given = config as ListenerConfig
      if (typeof given !== 'object') return { name, fn: given, scope: event.scope, options: event }
      return { name, fn: given.fn, scope: given.scope ?? event.scope, options: given }
    })
}

/** Whether `on` is to return what takes the handlers off again. */
export function isDestroyable([event, , , options]: ListenArguments): boolean {
  return Boolean((typeof event === 'string' ? options : event)?.destroyable)
}

/** The function itself, or the method of that name. */
export function methodOf(scope: object, fn: EventHandler | string | undefined): EventHandler | undefined {
  const method: unknown = typeof fn === 'string' ? Reflect.get(scope, fn) : fn
  return typeof method === 'function' ? (method as EventHandler) : undefined
}

/** @throws TypeError where there is no such function. */
export function requireMethod(event: string, scope: object, fn: EventHandler | string | undefined): EventHandler {
  const method = methodOf(scope, fn)
  if (!method) throw new TypeError(`'${event}' needs a function, or the name of a method of its scope.`)
  return method
}
