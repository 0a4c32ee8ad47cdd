import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Transport } from '../channel/transport.ts'
import type { Identity, Limits } from '../options.ts'
import { HttpConnection } from './http-connection.ts'
import type { Neighbours } from './neighbours.ts'
import type { NodeTicket } from './node-token.ts'

const NEGOTIATE_VERSION_MAX = 1

export type TransportName = Transport['name']

/** In the order in which clients try them (N3). */
const TRANSPORTS: readonly { readonly transport: TransportName; readonly transferFormats: readonly string[] }[] = [
  { transport: 'WebSockets', transferFormats: ['Text', 'Binary'] },
  { transport: 'ServerSentEvents', transferFormats: ['Text'] },
  { transport: 'LongPolling', transferFormats: ['Text', 'Binary'] },
]

export const allTransports: readonly TransportName[] = TRANSPORTS.map(({ transport }) => transport)

export interface HttpConnectionsParts {
  readonly limits: Limits
  readonly clock: Clock
  readonly createId: () => string
  /** Those that may carry connections. */
  readonly transports: readonly TransportName[]
  /** Whether a client that asks for stateful reconnect gets it. */
  readonly isStatefulAllowed: boolean
  /** Whether clients may show newer credentials while they are connected. */
  readonly isRefreshAllowed: boolean
  /** The other nodes; left out where there are none. */
  readonly neighbours?: Neighbours | undefined
}

/** The connections that HTTP requests name by token. Those not open yet are bounded in number and time. */
export class HttpConnections {
  readonly #negotiated = new Map<string, HttpConnection>()
  readonly #open = new Map<string, HttpConnection>()
  #onEmpty: (() => void) | undefined
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #createId: () => string
  readonly #neighbours: Neighbours | undefined
  readonly #availableTransports: readonly object[]
  readonly #isStatefulAllowed: boolean
  readonly #isRefreshAllowed: boolean

  constructor(parts: HttpConnectionsParts) {
    this.#limits = parts.limits
    this.#clock = parts.clock
    this.#createId = parts.createId
    this.#neighbours = parts.neighbours
    this.#isStatefulAllowed = parts.isStatefulAllowed
    this.#isRefreshAllowed = parts.isRefreshAllowed
    this.#availableTransports = TRANSPORTS.filter(({ transport }) => parts.transports.includes(transport))
  }

  /** What `POST {hub}/negotiate` is answered; what was asked wrongly is an answer too (SIGNALR 2.1 N2). */
  negotiate(query: URLSearchParams, identity: Identity): Record<string, unknown> {
    const version = parseVersion(query)
    if (typeof version === 'string') return { error: version }
    const isStateful = this.#isStatefulAllowed && isTrue(findIgnoringCase(query, 'useStatefulReconnect'))
    const connection = this.#create(version, identity, isStateful)
    return {
      // Only where it was asked for: the stock client fails otherwise (N4).
      ...(isStateful ? { useStatefulReconnect: true } : {}),
      negotiateVersion: version,
      connectionId: connection.id,
      ...(version === 0 ? {} : { connectionToken: connection.token }),
      availableTransports: this.#availableTransports,
      ...(this.#isRefreshAllowed ? lifetimeOf(identity, this.#clock.now()) : {}),
    }
  }

  get(token: string): HttpConnection | undefined {
    const negotiated = this.#negotiated.get(token)
    if (negotiated) return negotiated.expiresAt > this.#clock.now() ? negotiated : undefined
    return this.#open.get(token)
  }

  /** Another node takes it, if nobody opened it. */
  take(token: string): 'granted' | 'open' | 'gone' {
    const connection = this.get(token)
    if (!connection) return 'gone'
    return this.#negotiated.delete(token) ? 'granted' : 'open'
  }

  /** One that another node negotiated, and that is this one's from now on. */
  adopt({ id, version, isStateful, expiresAt }: NodeTicket, token: string, identity: Identity): HttpConnection {
    return new HttpConnection({
      id,
      version,
      token,
      identity,
      isStateful,
      expiresAt,
      earlyBytesMax: this.#limits.receivedFrameBytesMax,
    })
  }

  /** It has a transport now. */
  opened(connection: HttpConnection): void {
    this.#negotiated.delete(connection.token)
    this.#open.set(connection.token, connection)
  }

  gone(connection: HttpConnection): void {
    this.#open.delete(connection.token)
    if (this.#open.size === 0) this.#onEmpty?.()
  }

  /** Ends when no client has anything left to ask, or after so long: who polls learns the end from one more poll (L3). */
  async emptied(timeoutMs: number): Promise<void> {
    if (this.#open.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(timeoutMs, resolve)
      this.#onEmpty = () => {
        timer.stop()
        resolve()
      }
    })
  }

  /** Forgets what nobody opened in time. To be called about once a second. */
  tick(now: number): void {
    // In the order in which they were made, so the first that is not over ends it.
    for (const [token, { expiresAt }] of this.#negotiated) {
      if (expiresAt > now) return
      this.#negotiated.delete(token)
    }
  }

  #create(version: number, identity: Identity, isStateful: boolean): HttpConnection {
    const { negotiatedMax, disconnectTimeoutMs, receivedFrameBytesMax } = this.#limits
    if (this.#negotiated.size >= negotiatedMax) {
      throw new ChannelError(
        'too_many_negotiations',
        'Too many connections were negotiated and not opened; try again in a while.',
      )
    }
    const id = this.#createId()
    const expiresAt = this.#clock.now() + disconnectTimeoutMs
    const token =
      this.#neighbours?.seal({ id, version, isStateful, expiresAt }, identity.user) ??
      (version === 0 ? id : this.#createId())
    const connection = new HttpConnection({
      version,
      // Version 0 knows no token: there the id is the secret.
      id: version === 0 ? token : id,
      token,
      identity,
      isStateful,
      expiresAt,
      earlyBytesMax: receivedFrameBytesMax,
    })
    this.#negotiated.set(connection.token, connection)
    return connection
  }
}

/** For how long the client's credentials are good, so that it shows new ones in time; nothing where they don't end. */
export function lifetimeOf({ expiresAt }: Identity, now: number): { readonly tokenLifetimeSeconds?: number } {
  return expiresAt === undefined ? {} : { tokenLifetimeSeconds: Math.max(0, Math.floor((expiresAt - now) / 1000)) }
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

/** As .NET reads a bool: `1` is none (N4). */
function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true'
}

/** Query names match in any case, as in .NET (N1). */
export function findIgnoringCase(query: URLSearchParams, name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (const [key, value] of query) if (key.toLowerCase() === wanted) return value
  return undefined
}
