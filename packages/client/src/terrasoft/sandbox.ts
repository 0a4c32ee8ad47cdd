import { createEnvironment } from '../environment.ts'
import { NullOrEmptyException, UnsupportedTypeException } from './exceptions.ts'
import { checkDeclaration, type MessageDeclaration, MessageDirectionType, MessageMode } from './message-declaration.ts'

/** Gets what was published; a point-to-point message's publisher gets what it returns. */
export type SandboxHandler = (argument: never) => unknown

/** Modules hear each other's messages of the same or of no tag. */
export type Tags = readonly string[] | null | undefined

interface Subscription {
  readonly sandbox: Sandbox
  readonly handler: SandboxHandler
  readonly scope: object | undefined
  readonly tags: readonly string[]
}

/**
 * The modules of one page, which talk to each other by messages that each of them declares. Source: PARITY 2.4.
 *
 * @example
 * const sandboxes = new Sandboxes()
 * const sandbox = sandboxes.create('OrderPage')
 */
export class Sandboxes {
  readonly #reportError: (error: unknown) => void
  readonly #modules = new Map<string, Sandbox>()
  /** By the message's name. Lists are replaced, never changed: a message goes to those that were there when it was published. */
  readonly #subscriptions = new Map<string, readonly Subscription[]>()
  readonly #watchers = new Set<(name: string) => void>()

  /** @param reportError told what a handler of a broadcast message threw. Default: the page's own. */
  constructor(reportError: (error: unknown) => void = createEnvironment().reportError) {
    this.#reportError = reportError
  }

  /** The sandbox of a module. One that has this id already is gone with its handlers: the module is loaded anew. */
  create(id: string): Sandbox {
    this.#modules.get(id)?.destroy()
    const sandbox = new Sandbox(id, this)
    this.#modules.set(id, sandbox)
    return sandbox
  }

  /** For {@link Sandbox}. A point-to-point handler takes the place of the one that the module has for the same tags. */
  subscribe(name: string, added: Subscription, mode: MessageDeclaration['mode']): void {
    const kept = this.#of(name).filter((other) => {
      if (other.sandbox !== added.sandbox || !areSame(other.tags, added.tags)) return true
      return mode !== MessageMode.PTP && !(other.handler === added.handler && other.scope === added.scope)
    })
    this.#subscriptions.set(name, [...kept, added])
    for (const watch of this.#watchers) watch(name)
  }

  /** For {@link Sandbox}. Takes off the subscriptions of one name, or of all, that are meant. */
  unsubscribe(name: string | undefined, isMeant: (subscription: Subscription) => boolean): void {
    for (const key of name === undefined ? this.#subscriptions.keys() : [name]) {
      const kept = this.#of(key).filter((subscription) => !isMeant(subscription))
      if (kept.length > 0) this.#subscriptions.set(key, kept)
      else this.#subscriptions.delete(key)
    }
  }

  /** For {@link Sandbox}. @throws what the handler of a point-to-point message throws. */
  publish(name: string, argument: unknown, tags: readonly string[], mode: MessageDeclaration['mode']): unknown {
    const matching = this.#matching(name, tags)
    if (mode === MessageMode.PTP) return matching[0] ? call(matching[0], argument) : null
    for (const subscription of matching) {
      try {
        call(subscription, argument)
      } catch (error) {
        this.#reportError(error)
      }
    }
    return null
  }

  /** Whether a message with these tags would reach anybody. */
  hasSubscriber(name: string, tags?: Tags): boolean {
    return this.#matching(name, tags ?? []).length > 0
  }

  /** Calls it with the message's name each time that anybody subscribes to one. Returns what ends that. */
  whenSubscribed(watch: (name: string) => void): () => void {
    this.#watchers.add(watch)
    return () => this.#watchers.delete(watch)
  }

  #of(name: string): readonly Subscription[] {
    return this.#subscriptions.get(name) ?? []
  }

  #matching(name: string, tags: readonly string[]): readonly Subscription[] {
    return this.#of(name).filter((subscription) => doMatch(subscription.tags, tags))
  }
}

/** What one module sees of the others. */
export class Sandbox {
  readonly id: string
  readonly #sandboxes: Sandboxes
  readonly #declared = new Map<string, MessageDeclaration>()

  constructor(id: string, sandboxes: Sandboxes) {
    this.id = id
    this.#sandboxes = sandboxes
  }

  /**
   * Declares messages by their names.
   *
   * @throws UnsupportedTypeException where a mode or direction is none.
   *
   * @example
   * sandbox.registerMessages({
   *   OrderChanged: { mode: Terrasoft.MessageMode.BROADCAST, direction: Terrasoft.MessageDirectionType.SUBSCRIBE },
   * })
   */
  registerMessages(declarations: Readonly<Record<string, MessageDeclaration>>): void {
    for (const [name, declaration] of Object.entries(declarations)) {
      checkDeclaration(name, declaration)
      this.#declared.set(name, declaration)
    }
  }

  /** Takes declarations back, all of them where no names are given, and the module's handlers of these messages. */
  unRegisterMessages(names: string | readonly string[] = [...this.#declared.keys()]): void {
    for (const name of [names].flat()) {
      this.#declared.delete(name)
      this.#sandboxes.unsubscribe(name, ({ sandbox }) => sandbox === this)
    }
  }

  /** How the module declared a message; undefined where it did not. */
  getEventDescriptor(name: string): MessageDeclaration | undefined {
    return this.#declared.get(name)
  }

  /**
   * Has the handler called with what is published under this name and one of these tags, or without tags where there are
   * none. Of a point-to-point message a module has one handler for the same tags: the newest.
   *
   * @throws UnsupportedTypeException where the module did not declare that it subscribes to it.
   */
  subscribe(name: string, handler: SandboxHandler, scope?: object | null, tags?: Tags): void {
    const { mode } = this.#declaration(name, MessageDirectionType.SUBSCRIBE)
    if (typeof handler !== 'function') throw new NullOrEmptyException(`There is no handler for '${name}'.`)
    this.#sandboxes.subscribe(name, { sandbox: this, handler, scope: scope ?? undefined, tags: tags ?? [] }, mode)
  }

  /**
   * Publishes a message. Returns what the handler of a point-to-point message returns, null where there is none, and null
   * for a broadcast message: what its handlers throw is reported, and the others still run.
   *
   * @throws UnsupportedTypeException where the module did not declare that it publishes it.
   */
  publish(name: string, argument?: unknown, tags?: Tags): unknown {
    const { mode } = this.#declaration(name, MessageDirectionType.PUBLISH)
    return this.#sandboxes.publish(name, argument, tags ?? [], mode)
  }

  /** Takes off the module's handler of a point-to-point message, for these very tags. */
  unsubscribePtp(name: string, tags?: Tags): void {
    this.#sandboxes.unsubscribe(name, (other) => other.sandbox === this && areSame(other.tags, tags ?? []))
  }

  /** Takes off all handlers of the module. */
  removeModuleListeners(): void {
    this.#sandboxes.unsubscribe(undefined, ({ sandbox }) => sandbox === this)
  }

  /** The module is gone: with its handlers and its declarations. */
  destroy(): void {
    this.removeModuleListeners()
    this.#declared.clear()
  }

  /** Whether a message with these tags would reach anybody. */
  hasSubscriber(name: string, tags?: Tags): boolean {
    return this.#sandboxes.hasSubscriber(name, tags)
  }

  /** Calls it with the message's name each time that any module subscribes to one. Returns what ends that. */
  whenSubscribed(watch: (name: string) => void): () => void {
    return this.#sandboxes.whenSubscribed(watch)
  }

  #declaration(name: string, direction: 'publish' | 'subscribe'): MessageDeclaration {
    const declared = this.#declared.get(name)
    if (declared?.direction === direction || declared?.direction === MessageDirectionType.BIDIRECTIONAL) return declared
    const found = declared ? `with the direction '${declared.direction}'` : 'not at all'
    throw new UnsupportedTypeException(
      `The module '${this.id}' can't ${direction} '${name}': it declared it ${found}. Name it in registerMessages().`,
    )
  }
}

function call({ handler, scope }: Subscription, argument: unknown): unknown {
  return Reflect.apply(handler, scope, [argument])
}

/** Both have none, or at least one in common. */
function doMatch(tags: readonly string[], others: readonly string[]): boolean {
  if (tags.length === 0 || others.length === 0) return tags.length === others.length
  return tags.some((tag) => others.includes(tag))
}

function areSame(tags: readonly string[], others: readonly string[]): boolean {
  return tags.length === others.length && tags.every((tag) => others.includes(tag))
}
