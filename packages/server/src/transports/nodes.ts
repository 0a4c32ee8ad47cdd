import { hkdfSync } from 'node:crypto'
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
  /** Nodes that did not answer when they were last asked. */
  readonly #silent = new Set<string>()

  constructor(parts: NodesParts) {
    const { secret, self, limits, clock } = parts
    this.#parts = parts
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
    const { self, urls, clock } = this.#parts
    const tokens = new NodeTokens(this.#tokenKey, path)
    return new Neighbours({ path, self, urls, tokens, signatures: this.#signatures, relay: this.#relay, limits, clock })
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

/** One secret, several uses: what is a proof in one is none in another. */
function deriveKey(secret: string, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `serverchannel ${use}`, 32))
}
