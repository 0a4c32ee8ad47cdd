import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { ClientOrigin } from '../auth/client-origin.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'

/** Of a request between nodes: who sends it, when, for which client, and the proof of that. */
export const NODE_HEADER = 'x-serverchannel-node'

const FORMAT = '1'
/** How far two nodes' clocks may be apart, and how old a request may be. */
const AGE_MAX_MS = 30_000
/** Requests that are remembered, so that none is taken twice; what is more than that within a minute is refused. */
const NONCES_MAX = 500_000
const NONCE_BYTES = 12
const HEADER_LENGTH_MAX = 512

/** What a node proved with a request. */
export interface NodeProof {
  /** The node that sent it. */
  readonly from: string
  readonly client: ClientOrigin
}

/** A request as it is signed. */
interface Signed {
  readonly method: string
  readonly url: string
  readonly from: string
  readonly to: string
  readonly time: string
  readonly nonce: string
  readonly scheme: string
  readonly address: string
}

/** Signs requests to other nodes, and checks those that come: each is for one node, once, within half a minute. */
export class NodeSignatures {
  readonly #key: Buffer
  readonly #self: string
  readonly #clock: Clock
  /** Nonces with the time from which they can't come again, in the order in which they came. */
  readonly #seen = new Map<string, number>()

  constructor(key: Buffer, self: string, clock: Clock) {
    this.#key = key
    this.#self = self
    this.#clock = clock
  }

  /** @returns the header's value */
  sign(to: string, method: string, url: string, client: ClientOrigin): string {
    const signed: Signed = {
      method,
      url,
      from: this.#self,
      to,
      time: String(this.#clock.now()),
      nonce: randomBytes(NONCE_BYTES).toString('base64url'),
      scheme: client.isEncrypted ? 'https' : 'http',
      address: client.address,
    }
    const { from, time, nonce, scheme, address } = signed
    return [FORMAT, from, time, nonce, this.#mac(signed).toString('base64url'), scheme, address].join(' ')
  }

  /**
   * What the request's header proves; undefined where it has none.
   *
   * @throws ChannelError `node_rejected` where the header is not of a node, not for this one, stale, or was there before
   */
  verify({ headers, method = '', url = '' }: IncomingMessage): NodeProof | undefined {
    const header = headers[NODE_HEADER]
    if (header === undefined) return undefined
    if (typeof header !== 'string' || header.length > HEADER_LENGTH_MAX) throw rejected()
    const [format, from = '', time = '', nonce = '', mac = '', scheme = '', address = ''] = header.split(' ')
    const expected = this.#mac({ method, url, from, to: this.#self, time, nonce, scheme, address })
    const given = Buffer.from(mac, 'base64url')
    if (given.length !== expected.length || !timingSafeEqual(given, expected) || format !== FORMAT) throw rejected()
    this.#requireFresh(Number(time), nonce)
    return { from, client: { address, isEncrypted: scheme === 'https' } }
  }

  #requireFresh(time: number, nonce: string): void {
    const now = this.#clock.now()
    if (Math.abs(now - time) > AGE_MAX_MS) {
      throw new ChannelError(
        'node_rejected',
        `The request was signed ${Math.round((now - time) / 1000)} s ago: the clocks of the nodes need to agree.`,
      )
    }
    for (const [old, until] of this.#seen) {
      if (until > now && this.#seen.size < NONCES_MAX) break
      if (until > now) throw rejected()
      this.#seen.delete(old)
    }
    if (this.#seen.has(nonce)) throw rejected()
    this.#seen.set(nonce, now + 2 * AGE_MAX_MS)
  }

  #mac({ method, url, from, to, time, nonce, scheme, address }: Signed): Buffer {
    // As JSON, so that no two different requests are the same text.
    const text = JSON.stringify([method, url, from, to, time, nonce, scheme, address])
    return createHmac('sha256', this.#key).update(`request\0${text}`).digest()
  }
}

function rejected(): ChannelError {
  return new ChannelError('node_rejected', 'The request does not come from a node of this server.')
}
