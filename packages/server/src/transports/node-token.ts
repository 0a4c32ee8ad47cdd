import { createHmac, timingSafeEqual } from 'node:crypto'

/** What a node says of a connection that it negotiated, to itself and to the other nodes. */
export interface NodeTicket {
  /** Which node negotiated it, and so has it until its transport is open. */
  readonly node: string
  /** The connection's public id. */
  readonly id: string
  /** Of the negotiation: 0 or 1. */
  readonly version: number
  readonly isStateful: boolean
  /** Milliseconds since 1970: nobody may open it later. */
  readonly expiresAt: number
}

const FORMAT = 1
const STATEFUL = 0x80
const HEAD_BYTES = 24
const USER_OFFSET = 8
const USER_BYTES = 16
const MAC_BYTES = 32
const TOKEN_LENGTH_MAX = 512

/**
 * The connection tokens of one path: signed, so that any node can tell whose a connection is without asking. One of
 * another path, or of whoever doesn't have the secret, is none here.
 *
 * The bytes before the MAC: format, flags (negotiate version; whether stateful), the end as 48 bits, the user's keyed
 * hash, then the node and the id, each after its length.
 */
export class NodeTokens {
  readonly #key: Buffer
  readonly #path: string

  /** @param path in lower case */
  constructor(key: Buffer, path: string) {
    this.#key = key
    this.#path = path
  }

  seal({ node, id, version, isStateful, expiresAt }: NodeTicket, user: string | undefined): string {
    const head = Buffer.alloc(HEAD_BYTES)
    head[0] = FORMAT
    head[1] = version | (isStateful ? STATEFUL : 0)
    head.writeUIntBE(Math.min(Math.max(0, Math.floor(expiresAt)), 2 ** 48 - 1), 2, 6)
    this.#hashUser(id, user).copy(head, USER_OFFSET)
    const payload = Buffer.concat([head, withLength(node), withLength(id)])
    return Buffer.concat([payload, this.#mac(payload)]).toString('base64url')
  }

  /** What the token says; undefined where no node made it for this path. Whether it is over is for the caller to see. */
  open(token: string): NodeTicket | undefined {
    const payload = this.#authentic(token)
    if (!payload) return undefined
    const nodeEnd = HEAD_BYTES + 1 + (payload[HEAD_BYTES] ?? 0)
    const flags = payload[1] ?? 0
    const version = flags & ~STATEFUL
    return {
      node: payload.toString('utf8', HEAD_BYTES + 1, nodeEnd),
      // Where there are no tokens the id is the secret.
      id: version === 0 ? token : payload.toString('utf8', nodeEnd + 1),
      version,
      isStateful: (flags & STATEFUL) !== 0,
      expiresAt: payload.readUIntBE(2, 6),
    }
  }

  /** Whether the token was made for this user. */
  isFor(token: string, user: string | undefined): boolean {
    const payload = this.#authentic(token)
    if (!payload) return false
    const id = payload.toString('utf8', HEAD_BYTES + 1 + (payload[HEAD_BYTES] ?? 0) + 1)
    return timingSafeEqual(payload.subarray(USER_OFFSET, USER_OFFSET + USER_BYTES), this.#hashUser(id, user))
  }

  /** The bytes before the MAC, if that is ours. Nothing in them is looked at before. */
  #authentic(token: string): Buffer | undefined {
    if (token.length > TOKEN_LENGTH_MAX) return undefined
    const bytes = Buffer.from(token, 'base64url')
    if (bytes.length < HEAD_BYTES + 2 + MAC_BYTES) return undefined
    const payload = bytes.subarray(0, -MAC_BYTES)
    if (!timingSafeEqual(bytes.subarray(-MAC_BYTES), this.#mac(payload))) return undefined
    // The same bytes can be written in several ways; each would count as a token of its own.
    return bytes.toString('base64url') === token && payload[0] === FORMAT ? payload : undefined
  }

  #mac(payload: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(`token\0${this.#path}\0`).update(payload).digest()
  }

  /** With the id in it, so that nobody can see of two tokens that they are of the same user. */
  #hashUser(id: string, user: string | undefined): Buffer {
    const text = JSON.stringify([id, user ?? null])
    return createHmac('sha256', this.#key).update(`user\0${text}`).digest().subarray(0, USER_BYTES)
  }
}

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}
