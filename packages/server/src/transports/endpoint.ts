import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { jsonCodec, type Position, parsePosition } from '@serverchannel/protocol'
import type { Logger } from 'pino'
import { type AccessOptions, requireAccess } from '../auth/access.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Transport } from '../channel/transport.ts'
import { type Hub, HubConnection } from '../hub/hub-connection.ts'
import { Roster, type Seat } from '../hub/roster.ts'
import type { Authenticate, Identity, Limits } from '../options.ts'
import { send, sendProblem, toChannelError } from './answer.ts'
import { findIgnoringCase, Negotiations } from './negotiate.ts'
import { refuseUpgrade } from './refuse-upgrade.ts'
import { WebSocketAcceptor } from './websocket.ts'

export interface EndpointParts {
  readonly hub: Hub
  readonly limits: Limits
  readonly access: AccessOptions
  readonly authenticate: Authenticate
  readonly clock: Clock
  readonly logger: Logger
  readonly createId: () => string
}

/** A hub on HTTP: who may connect, negotiation, and the transports. */
export class Endpoint {
  readonly #parts: EndpointParts
  readonly #negotiations: Negotiations
  readonly #roster: Roster
  readonly #acceptor: WebSocketAcceptor
  #isClosed = false

  constructor(parts: EndpointParts) {
    const { limits, clock, createId } = parts
    this.#parts = parts
    this.#negotiations = new Negotiations(limits, clock, createId)
    this.#roster = new Roster(limits, clock, (now) => this.#negotiations.tick(now))
    this.#acceptor = new WebSocketAcceptor(limits)
  }

  get connectionCount(): number {
    return this.#roster.count
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** `POST {hub}/negotiate` */
  async negotiate(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    try {
      requireAccess(request, this.#parts.access)
      if (request.method !== 'POST') {
        send(response, 405, '', { 'Content-Type': 'text/plain', Allow: 'POST' })
        return
      }
      this.#requireOpen()
      this.#negotiations.answer(request, response, query, await this.#authenticate(request))
    } catch (error) {
      this.#answerError(response, error)
    }
  }

  /** Any other request to the hub's path: only upgrades are served there so far. Source: SIGNALR 2.2. */
  refuse(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const text = { 'Content-Type': 'text/plain' }
    try {
      requireAccess(request, this.#parts.access)
      if (request.method !== 'GET' && request.method !== 'POST' && request.method !== 'DELETE') {
        send(response, 405, '', { ...text, Allow: 'GET, POST, DELETE' })
      } else if (!findIgnoringCase(query, 'id')) send(response, 400, 'Connection ID required', text)
      else send(response, 404, 'No Connection with that ID', text)
    } catch (error) {
      this.#answerError(response, error)
    }
  }

  /** An upgrade request to the hub's path. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, query: URLSearchParams): Promise<void> {
    // Until ws takes over nobody else listens: an error without a listener would end the process.
    const onError = (): void => {
      socket.destroy()
    }
    socket.on('error', onError)
    let seat: Seat | undefined
    try {
      requireAccess(request, this.#parts.access)
      this.#requireOpen()
      seat = this.#roster.reserve(request.socket.remoteAddress ?? '')
      const position = parsePositionParameter(query)
      const { id, identity } = await this.#identify(request, query)
      seat.assign(identity.user)
      if (socket.destroyed || this.#isClosed) {
        seat.release()
        socket.destroy()
        return
      }
      socket.off('error', onError)
      this.#open(request, socket, head, { id, identity, position, seat })
    } catch (error) {
      seat?.release()
      refuseUpgrade(socket, toChannelError(error))
      this.#logError(error)
    }
  }

  /** Says to all clients that they may come back later, and takes no more. Ends when they are gone, within `closeTimeoutMs`. Idempotent. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.#roster.close(new ChannelError('server_shutdown', 'The server is going down; connect again.'))
  }

  #open(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    client: {
      readonly id: string
      readonly identity: Identity
      readonly position: Position | null | undefined
      readonly seat: Seat
    },
  ): void {
    const { limits, clock, hub, logger } = this.#parts
    // Also where ws refuses the upgrade, and never opens: then the socket ends without a connection.
    socket.once('close', () => client.seat.release())
    this.#acceptor.accept(request, socket, head, (transport: Transport) => {
      const connection = new HubConnection({
        ...client,
        transport,
        hub,
        codecs: [jsonCodec],
        limits,
        clock,
        onGone: (gone) => this.#roster.remove(gone),
        onEnd: (ended, error) => {
          if (error) logger.info({ code: error.code, connection: ended.id, user: ended.identity.user }, error.message)
        },
      })
      this.#roster.add(connection)
      return connection
    })
  }

  /** The connection's public id and whose it is: as negotiated, or new where the client skipped that. */
  async #identify(request: IncomingMessage, query: URLSearchParams): Promise<{ id: string; identity: Identity }> {
    const token = findIgnoringCase(query, 'id')
    const negotiated = token ? this.#negotiations.take(token) : undefined
    if (token && !negotiated) throw new ChannelError('not_found', 'No Connection with that ID')
    const identity = await this.#authenticate(request)
    if (negotiated && negotiated.identity.user !== identity.user) {
      throw new ChannelError('token_rejected', 'The connection was negotiated by another user.')
    }
    return { id: negotiated?.connectionId ?? this.#parts.createId(), identity }
  }

  async #authenticate(request: IncomingMessage): Promise<Identity> {
    const { authenticate, limits, clock } = this.#parts
    let timer: { stop(): void } | undefined
    const tooLate = new Promise<never>((_, reject) => {
      timer = clock.after(limits.authenticationTimeoutMs, () => {
        reject(new Error(`authenticate() took longer than ${limits.authenticationTimeoutMs} ms`))
      })
    })
    let identity: Identity | null
    try {
      identity = await Promise.race([Promise.resolve(authenticate(request)), tooLate])
    } catch (cause) {
      this.#parts.logger.error({ err: cause }, 'authenticate() failed; the request was refused')
      throw new ChannelError('token_rejected', 'The identity could not be checked.', { cause })
    } finally {
      timer?.stop()
    }
    if (!identity) throw new ChannelError('token_rejected', 'Connecting needs a valid token, and there was none.')
    const { user } = identity
    if (user !== undefined && (user === '' || user.length > limits.nameLengthMax)) {
      throw new ChannelError('token_rejected', `A user id has 1 to ${limits.nameLengthMax} characters.`)
    }
    return identity
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new ChannelError('server_shutdown', 'The server is going down; connect again.')
  }

  #answerError(response: ServerResponse, error: unknown): void {
    sendProblem(response, toChannelError(error))
    this.#logError(error)
  }

  #logError(error: unknown): void {
    if (!(error instanceof ChannelError)) this.#parts.logger.error({ err: error }, 'A request to the hub failed')
  }
}

/** Undefined: no `position` in the query. Null: an empty one. */
function parsePositionParameter(query: URLSearchParams): Position | null | undefined {
  const text = findIgnoringCase(query, 'position')
  if (text === undefined) return undefined
  if (text === '') return null
  const position = parsePosition(text)
  if (!position) throw new ChannelError('position_invalid', "'position' is not of the form epoch:offset.")
  return position
}
