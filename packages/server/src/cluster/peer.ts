import type { Address } from './signal.ts'

/** Connections of other nodes that are kept, over all of them; more are not known here. */
export const KNOWN_CONNECTIONS_MAX = 2_000_000

/** Another node, as far as it has told. */
export class Peer {
  readonly id: string
  heardAt: number
  address: Address | undefined
  /** How much it has told of who is connected, of which nothing was missed. Undefined: something was. */
  told: number | undefined
  /** When it was last asked to tell it again. */
  askedAt: number = Number.NEGATIVE_INFINITY
  /** Users by connection. */
  readonly #users = new Map<string, string>()
  readonly #connections = new Map<string, Set<string>>()

  constructor(id: string, now: number) {
    this.id = id
    this.heardAt = now
  }

  get connectionCount(): number {
    return this.#users.size
  }

  get users(): Iterable<string> {
    return this.#connections.keys()
  }

  connectionsOf(user: string): ReadonlySet<string> {
    return this.#connections.get(user) ?? NONE
  }

  clear(): void {
    this.#users.clear()
    this.#connections.clear()
  }

  come(connection: string, user: string): void {
    this.gone(connection)
    this.#users.set(connection, user)
    const connections = this.#connections.get(user)
    if (connections) connections.add(connection)
    else this.#connections.set(user, new Set([connection]))
  }

  gone(connection: string): void {
    const user = this.#users.get(connection)
    if (user === undefined) return
    this.#users.delete(connection)
    const connections = this.#connections.get(user)
    connections?.delete(connection)
    if (connections?.size === 0) this.#connections.delete(user)
  }
}

const NONE: ReadonlySet<string> = new Set()
