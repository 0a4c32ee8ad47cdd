import type { HubContract } from '@serverchannel/protocol'
import type { Identity } from '../options.ts'
import { type CallerClients, createCallerClients, type HubClients, type SingleClient } from './hub-clients.ts'
import type { HubContext } from './hub-context.ts'
import type { HubGroups } from './hub-groups.ts'
import type { HubPeer, HubRequest } from './hub-peer.ts'

type Clients = HubContract['client']

/** What all contexts of one connection share. */
export class ConnectionContext {
  readonly peer: HubPeer
  readonly groups: HubGroups
  readonly items: Map<string, unknown> = new Map()
  readonly abort: () => void
  readonly #hubClients: HubClients<Clients>
  #clients: CallerClients<Clients> | undefined
  #controller: AbortController | undefined
  #isGone = false

  constructor(peer: HubPeer, clients: HubClients<Clients>, groups: HubGroups, abort: () => void) {
    this.peer = peer
    this.groups = groups
    this.abort = abort
    this.#hubClients = clients
  }

  get clients(): CallerClients<Clients> {
    this.#clients ??= createCallerClients(this.#hubClients, this.peer.id)
    return this.#clients
  }

  /** Aborted when the connection is gone. Made when somebody asks for it: most never do. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#isGone) this.#controller.abort()
    }
    return this.#controller.signal
  }

  /** The connection is gone. */
  gone(): void {
    this.#isGone = true
    this.#controller?.abort()
  }

  /** The context of one call, or of the connection itself, aborted as its source says. */
  create(source: { readonly signal: AbortSignal } = this): HubContext<HubContract> {
    return new CallContext(this, source)
  }
}

class CallContext implements HubContext<HubContract> {
  readonly #connection: ConnectionContext
  readonly #source: { readonly signal: AbortSignal }

  constructor(connection: ConnectionContext, source: { readonly signal: AbortSignal }) {
    this.#connection = connection
    this.#source = source
  }

  get connectionId(): string {
    return this.#connection.peer.id
  }

  get user(): string | undefined {
    return this.#connection.peer.identity.user
  }

  get identity(): Identity {
    return this.#connection.peer.identity
  }

  get protocol(): string {
    return this.#connection.peer.codec.name
  }

  get request(): HubRequest {
    return this.#connection.peer.request
  }

  get clients(): CallerClients<Clients> {
    return this.#connection.clients
  }

  get caller(): SingleClient<Clients> {
    return this.#connection.clients.caller
  }

  get groups(): HubGroups {
    return this.#connection.groups
  }

  get items(): Map<string, unknown> {
    return this.#connection.items
  }

  get signal(): AbortSignal {
    return this.#source.signal
  }

  /** Bound, so that it can be taken out of the context like everything else. */
  readonly abort = (): void => this.#connection.abort()
}
