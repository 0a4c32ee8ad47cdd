import type { IncomingMessage, ServerResponse } from 'node:http'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Identity, Limits } from '../options.ts'
import { sendJson } from './answer.ts'

const NEGOTIATE_VERSION_MAX = 1
const AVAILABLE_TRANSPORTS = [{ transport: 'WebSockets', transferFormats: ['Text', 'Binary'] }]

/** A connection that was negotiated and is not open yet. */
export interface Negotiated {
  /** Public. */
  readonly connectionId: string
  readonly identity: Identity
  readonly expiresAt: number
}

/** Connections between negotiation and opening. Bounded in number and time. Source: SIGNALR 2.1. */
export class Negotiations {
  readonly #pending = new Map<string, Negotiated>()
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #createId: () => string

  constructor(limits: Limits, clock: Clock, createId: () => string) {
    this.#limits = limits
    this.#clock = clock
    this.#createId = createId
  }

  get count(): number {
    return this.#pending.size
  }

  /** Answers `POST {hub}/negotiate`. What the client asked wrongly is said with status 200, as clients expect (N2). */
  answer(_request: IncomingMessage, response: ServerResponse, query: URLSearchParams, identity: Identity): void {
    const version = parseVersion(query)
    if (typeof version === 'string') sendJson(response, 200, { error: version })
    else sendJson(response, 200, this.#negotiate(version, identity))
  }

  /** Takes the connection that the token names: a token opens one connection. */
  take(token: string): Negotiated | undefined {
    const negotiated = this.#pending.get(token)
    this.#pending.delete(token)
    return negotiated && negotiated.expiresAt > this.#clock.now() ? negotiated : undefined
  }

  /** Forgets what nobody opened in time. To be called about once a second. */
  tick(now: number): void {
    // In the order in which they were made, so the first that is not over ends it.
    for (const [token, { expiresAt }] of this.#pending) {
      if (expiresAt > now) return
      this.#pending.delete(token)
    }
  }

  #negotiate(version: number, identity: Identity): Record<string, unknown> {
    if (this.#pending.size >= this.#limits.negotiatedMax) {
      throw new ChannelError(
        'too_many_negotiations',
        'Too many connections were negotiated and not opened; try again in a while.',
      )
    }
    const connectionId = this.#createId()
    // Version 0 knows no token: there the id is the secret.
    const token = version === 0 ? connectionId : this.#createId()
    const expiresAt = this.#clock.now() + this.#limits.disconnectTimeoutMs
    this.#pending.set(token, { connectionId, identity, expiresAt })
    return {
      negotiateVersion: version,
      connectionId,
      ...(version === 0 ? {} : { connectionToken: token }),
      availableTransports: AVAILABLE_TRANSPORTS,
    }
  }
}

/** The version to speak, or what is wrong with the one asked for, in the words of .NET's server. */
function parseVersion(query: URLSearchParams): number | string {
  const asked = findIgnoringCase(query, 'negotiateVersion')
  if (asked === undefined) return 0
  if (!/^[+-]?\d{1,9}$/.test(asked)) return 'The client requested a non-integer protocol version.'
  const version = Number(asked)
  if (version < 0) return `The client requested version '${version}', but the server does not support this version.`
  return Math.min(version, NEGOTIATE_VERSION_MAX)
}

/** Query names match in any case, as in .NET (N1). */
export function findIgnoringCase(query: URLSearchParams, name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (const [key, value] of query) if (key.toLowerCase() === wanted) return value
  return undefined
}
