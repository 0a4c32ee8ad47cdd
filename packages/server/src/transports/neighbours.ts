import type { IncomingMessage, ServerResponse } from 'node:http'
import { clientOriginOf, isPassedOn, setClientOrigin } from '../auth/client-origin.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import type { NodeRelay, NodeTarget } from './node-relay.ts'
import type { NodeSignatures } from './node-signature.ts'
import type { NodeTicket, NodeTokens } from './node-token.ts'

export interface NeighboursParts {
  /** Of the endpoint, in lower case: the same on all nodes. */
  readonly path: string
  readonly self: string
  readonly urls: ReadonlyMap<string, URL>
  readonly tokens: NodeTokens
  readonly signatures: NodeSignatures
  readonly relay: NodeRelay
  readonly limits: Limits
  readonly clock: Clock
}

/** What a node answers to another one that claims a connection. */
const CLAIM = { granted: 204, gone: 404, open: 409 } as const
/** Said by a proxy for a node that is not there, or by a node that is about to be gone. */
const ABSENT: ReadonlySet<number | undefined> = new Set([undefined, 502, 503, 504])

/**
 * The other nodes as one endpoint sees them. A connection is with the node that negotiated it, its owner, until a
 * WebSocket takes it elsewhere; requests that land with another node are passed on to the owner. Source: SIGNALR 5.
 */
export class Neighbours {
  readonly #parts: NeighboursParts
  /** Tokens that were taken here because their owner did not answer, with their end: none is taken twice. */
  readonly #spent = new Map<string, number>()
  /** Who claimed what was negotiated here, by the connection's id. */
  readonly #claimed = new Map<string, string>()

  constructor(parts: NeighboursParts) {
    this.#parts = parts
  }

  /** The token of a connection that was negotiated here. */
  seal(ticket: Omit<NodeTicket, 'node'>, user: string | undefined): string {
    return this.#parts.tokens.seal({ node: this.#parts.self, ...ticket }, user)
  }

  /**
   * Takes what another node says of the client whose request it passes on. To be called first with each request.
   *
   * @throws ChannelError `node_rejected` where the request says that it is a node's and is not
   */
  admit(request: IncomingMessage): void {
    const proof = this.#parts.signatures.verify(request)
    if (proof) setClientOrigin(request, proof.client)
  }

  /**
   * Passes a request on to the node that has its connection. `onGone` answers it where that node doesn't.
   *
   * @returns false, and the request untouched, where that is nobody else that is known
   * @throws ChannelError `server_shutdown`, `too_many_connections`
   */
  pass(token: string, request: IncomingMessage, response: ServerResponse, onGone: () => void): boolean {
    const { tokens, relay, limits } = this.#parts
    const ticket = tokens.open(token)
    const target = ticket && this.#whereToPass(ticket, request)
    if (target) relay.pass(target, request, response, { limits, onGone })
    return target !== undefined
  }

  /**
   * Takes a connection from its owner, for a WebSocket that landed here. An owner that does not answer is taken for
   * dead, and the token for what it says.
   *
   * @returns undefined where it is not to be had
   * @throws ChannelError `token_rejected` where it was negotiated by another user
   */
  async claim(token: string, user: string | undefined, request: IncomingMessage): Promise<NodeTicket | undefined> {
    const { tokens, relay, path, clock } = this.#parts
    const ticket = tokens.open(token)
    const target = ticket && this.#target(ticket.node, request)
    if (!target) return undefined
    // Before it is claimed: whoever has but the token can't spoil it either.
    if (!tokens.isFor(token, user)) {
      throw new ChannelError('token_rejected', 'The connection was negotiated by another user.')
    }
    const status = await relay.ask(target, 'POST', `${path}/claim?id=${token}`)
    if (status === CLAIM.granted) return ticket
    return ABSENT.has(status) && ticket.expiresAt > clock.now() && this.#spend(token, ticket) ? ticket : undefined
  }

  /**
   * What to answer a node that claims a connection. `take` forgets one that nobody opened yet.
   *
   * @throws ChannelError `node_rejected` where it is no node that asks
   */
  grant(token: string, request: IncomingMessage, take: () => 'granted' | 'open' | 'gone'): number {
    const proof = this.#parts.signatures.verify(request)
    if (!proof) throw new ChannelError('node_rejected', 'Connections are claimed by nodes of this server only.')
    const outcome = take()
    if (outcome === 'granted') this.#remember(token, proof.from)
    return CLAIM[outcome]
  }

  /**
   * To the owner; from there, to the node that claimed the connection. That one is never the owner, so nothing goes
   * round: whoever else is passed something on has it, or nobody does.
   */
  #whereToPass({ node, id }: NodeTicket, request: IncomingMessage): NodeTarget | undefined {
    if (node !== this.#parts.self) return isPassedOn(request) ? undefined : this.#target(node, request)
    const claimant = this.#claimed.get(id)
    return claimant === undefined ? undefined : this.#target(claimant, request)
  }

  #remember(token: string, claimant: string): void {
    const ticket = this.#parts.tokens.open(token)
    if (!ticket) return
    // The oldest is the likeliest to be gone. Without it, its client's next refresh makes it connect anew.
    const [oldest] = this.#claimed.size >= this.#parts.limits.connectionsMax ? this.#claimed.keys() : []
    if (oldest !== undefined) this.#claimed.delete(oldest)
    this.#claimed.set(ticket.id, claimant)
  }

  /** @returns false where it was spent before */
  #spend(token: string, { expiresAt }: NodeTicket): boolean {
    const { clock, limits } = this.#parts
    const now = clock.now()
    for (const [old, until] of this.#spent) {
      if (until > now) break
      this.#spent.delete(old)
    }
    if (this.#spent.has(token) || this.#spent.size >= limits.negotiatedMax) return false
    this.#spent.set(token, expiresAt)
    return true
  }

  #target(name: string, request: IncomingMessage): NodeTarget | undefined {
    const { self, urls, signatures } = this.#parts
    const url = name === self ? undefined : urls.get(name)
    const client = clientOriginOf(request)
    return url && { name, url, sign: (method, path) => signatures.sign(name, method, path, client) }
  }
}
