import type { Position } from '@serverchannel/protocol'
import type { Logger } from 'pino'
import type { ChannelError } from '../channel/channel-error.ts'
import type { Transport } from '../channel/transport.ts'
import type { HubRequest } from '../hub/hub-peer.ts'
import type { Roster, Seat } from '../hub/roster.ts'
import type { ServedConnection, ServedConnectionInit } from '../hub/served-connection.ts'
import type { Identity } from '../options.ts'
import type { HttpConnection } from './http-connection.ts'
import { LongPollingTransport } from './long-polling.ts'
import type { HttpConnections } from './negotiate.ts'

/** Where those who stay are known, and forgotten when they go. */
export interface StayParts {
  readonly roster: Roster
  readonly connections: HttpConnections
  readonly logger: Logger
}

export interface StayInit {
  readonly id: string
  readonly identity: Identity
  readonly position: Position | null | undefined
  readonly owner?: string | undefined
  readonly seat: Seat
  /** Where the client negotiated. */
  readonly http: HttpConnection | undefined
}

/** A client from the moment its transport opens until it is gone: one object for each, and no functions of its own. */
export class Stay implements ServedConnectionInit {
  readonly id: string
  readonly identity: Identity
  readonly position: Position | null | undefined
  readonly owner: string | undefined
  readonly transport: Transport
  readonly request: HubRequest
  readonly #seat: Seat
  readonly #http: HttpConnection | undefined
  readonly #parts: StayParts

  constructor(init: StayInit, transport: Transport, request: HubRequest, parts: StayParts) {
    this.id = init.id
    this.identity = init.identity
    this.position = init.position
    this.owner = init.owner
    this.transport = transport
    this.request = request
    this.#seat = init.seat
    this.#http = init.http
    this.#parts = parts
  }

  get isStateful(): boolean {
    return this.#http?.isStateful === true && this.transport.name === 'WebSockets'
  }

  onGone(gone: ServedConnection): void {
    this.#parts.roster.remove(gone)
    this.#seat.release()
    // Who polls still has to learn it: then the transport says when nobody needs to any more.
    if (this.#http && !(this.transport instanceof LongPollingTransport)) this.#parts.connections.gone(this.#http)
  }

  onEnd(ended: ServedConnection, error: ChannelError | undefined): void {
    logEnd(this.#parts.logger, ended, error)
  }
}

/** Why a connection ended, where its client did not just leave. */
export function logEnd(logger: Logger, { id, identity }: ServedConnection, error: ChannelError | undefined): void {
  if (!error) return
  const { code, message, cause } = error
  const details = { code, connection: id, user: identity.user }
  if (code === 'internal' || code === 'store_failed') logger.error({ ...details, err: cause ?? error }, message)
  else logger.info(details, message)
}
