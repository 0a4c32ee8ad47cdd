import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Logger } from 'pino'
import type { Clock } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import { Neighbours } from './neighbours.ts'
import { NodeRelay } from './node-relay.ts'
import { NodeSignatures } from './node-signature.ts'
import { NodeTokens } from './node-token.ts'

/** The `nodes` option after it was checked. */
export interface KnownNodes {
  readonly self: string
  readonly secret: string
  /** Each node's address by its name, this one's included. */
  readonly urls: ReadonlyMap<string, URL>
  /** Whether this node tells the others its address. */
  readonly isAnnounced: boolean
}

/** A node's address as it tells it to others, with the proof that it knows the secret. */
export interface NodeAddress {
  readonly name: string
  readonly url: string
  readonly proof: string
}

export interface NodesParts extends KnownNodes {
  readonly limits: Limits
  readonly clock: Clock
  readonly logger: Logger
}

/** What a process has in common with the other nodes: keys, their addresses, the way to them. */
export class Nodes {
  readonly #parts: NodesParts
  readonly #tokenKey: Buffer
  readonly #signatures: NodeSignatures
  readonly #relay: NodeRelay
  readonly #addressKey: Buffer
  /** All that are known, those that told their address too. */
  readonly #urls: Map<string, URL>
  /** Nodes that did not answer when they were last asked. */
  readonly #silent = new Set<string>()

  constructor(parts: NodesParts) {
    const { secret, self, limits, clock } = parts
    this.#parts = parts
    this.#urls = new Map(parts.urls)
    this.#addressKey = deriveKey(secret, 'addresses of nodes')
    this.#tokenKey = deriveKey(secret, 'connection tokens')
    this.#signatures = new NodeSignatures(deriveKey(secret, 'requests between nodes'), self, clock)
    this.#relay = new NodeRelay({
      limits,
      clock,
      onContact: (node, error) => (error ? this.#isSilent(node, error) : this.#answers(node)),
    })
  }

  /** @param path of an endpoint, in lower case */
  at(path: string, limits: Limits): Neighbours {
    const { self, clock } = this.#parts
    const urls = this.#urls
    const tokens = new NodeTokens(this.#tokenKey, path)
    return new Neighbours({ path, self, urls, tokens, signatures: this.#signatures, relay: this.#relay, limits, clock })
  }

  /** What this node tells the others; undefined where they have its address from their options. */
  get address(): NodeAddress | undefined {
    const { self, isAnnounced } = this.#parts
    const url = this.#urls.get(self)?.href
    return isAnnounced && url !== undefined ? { name: self, url, proof: this.#prove(self, url) } : undefined
  }

  /** Another node told its address. Whoever can write to the store but has no secret tells nothing. */
  learn({ name, url, proof }: NodeAddress): void {
    const { self, urls, logger } = this.#parts
    const expected = Buffer.from(this.#prove(name, url))
    const given = Buffer.from(proof)
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      logger.warn({ node: name.slice(0, NAME_SHOWN_MAX) }, 'A node told an address without the secret of this server')
    } else if (name !== self && !urls.has(name) && URL.canParse(url)) this.#urls.set(name, new URL(url))
  }

  /** A node that told its address is gone. */
  forget(name: string): void {
    if (!this.#parts.urls.has(name)) this.#urls.delete(name)
  }

  #prove(name: string, url: string): string {
    return createHmac('sha256', this.#addressKey)
      .update(JSON.stringify([name, url]))
      .digest('base64url')
  }

  /** Ends requests that are passed on at the moment, and passes no more on. Idempotent. */
  close(): void {
    this.#relay.close()
  }

  /** Once, not with each request: a node that is down is asked all the time. */
  #isSilent(node: string, error: Error): void {
    if (this.#silent.has(node)) return
    this.#silent.add(node)
    this.#parts.logger.warn({ node, reason: error.message }, 'A node does not answer as it should')
  }

  #answers(node: string): void {
    if (this.#silent.delete(node)) this.#parts.logger.warn({ node }, 'A node answers again')
  }
}

const NAME_SHOWN_MAX = 64

/** One secret, several uses: what is a proof in one is none in another. */
function deriveKey(secret: string, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `serverchannel ${use}`, 32))
}
