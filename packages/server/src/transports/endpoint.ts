import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Position, parsePosition } from '@serverchannel/protocol'
import type { Logger } from 'pino'
import { type AccessOptions, requireAccess } from '../auth/access.ts'
import { clientOriginOf } from '../auth/client-origin.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Roster, Seat } from '../hub/roster.ts'
import type { ServedConnection, ServedConnectionInit } from '../hub/served-connection.ts'
import type { Authenticate, Identity, Limits, RedirectClient } from '../options.ts'
import { requireFirstInLine, send, sendJson, sendProblem, toChannelError } from './answer.ts'
import { Authenticator } from './authenticator.ts'
import { Carriers } from './carriers.ts'
import { allowOrigin } from './cors.ts'
import type { HandOver } from './hand-over.ts'
import type { HttpConnection } from './http-connection.ts'
import { LongPollingTransport } from './long-polling.ts'
import { findIgnoringCase, HttpConnections, lifetimeOf, type TransportName } from './negotiate.ts'
import type { Neighbours } from './neighbours.ts'
import { startOf } from './position-owner.ts'
import { answerUpgrade, refuseUpgrade } from './refuse-upgrade.ts'
import { readBody } from './request-body.ts'
import { ServerSentEventsTransport } from './server-sent-events.ts'
import type { SocketWriter } from './socket-writer.ts'

export interface EndpointParts {
  /** Makes the connections of clients that have come. */
  readonly serve: (init: ServedConnectionInit) => ServedConnection
  /** The same for those who only listen, to a plain event stream; left out where there is none. */
  readonly serveEvents?: (init: ServedConnectionInit) => ServedConnection
  /** Whether connections keep the request that opened them: it takes about 2 KB of each. */
  readonly keepsRequest: boolean
  readonly transports: readonly TransportName[]
  readonly isStatefulAllowed: boolean
  readonly isRefreshAllowed: boolean
  readonly roster: Roster
  readonly limits: Limits
  readonly access: AccessOptions
  readonly authenticate: Authenticate
  /** Throws where the user must stay away. */
  readonly requireAllowed: (user: string | undefined) => void
  /** Where a client is to go instead. */
  readonly redirect?: RedirectClient | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly createId: () => string
  readonly socketWriter: SocketWriter
  /** Other processes that serve WebSockets; left out where there are none. */
  readonly handOver?: HandOver | undefined
  /** The other nodes; left out where there are none. */
  readonly neighbours?: Neighbours | undefined
}

const CHANGED_TRANSPORT = 'Cannot change transports mid-connection'
const PLAIN = { 'Content-Type': 'text/plain' }

/** What is served at one path: who may connect, negotiation, and the transports. Source: SIGNALR 2.1 to 2.6. */
export class Endpoint {
  readonly #parts: EndpointParts
  readonly #authenticator: Authenticator
  readonly #connections: HttpConnections
  readonly #carriers: Carriers
  #isClosed = false

  constructor(parts: EndpointParts) {
    this.#parts = parts
    this.#authenticator = new Authenticator(parts)
    this.#connections = new HttpConnections(parts)
    this.#carriers = new Carriers(parts, this.#connections)
    parts.roster.onBeat((now) => this.#connections.tick(now))
  }

  /** Whether it can be listened to as a plain event stream: the channel can. */
  get hasEvents(): boolean {
    return this.#parts.serveEvents !== undefined
  }

  /** `POST {hub}/negotiate` */
  negotiate(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    return this.#answer(request, response, async () => {
      if (request.method !== 'POST') {
        send(response, 405, '', { ...PLAIN, Allow: 'POST' })
        return
      }
      this.#requireOpen()
      const identity = await this.#authenticator.identify(request)
      const answer = this.#parts.redirect?.(request, identity) ?? this.#connections.negotiate(query, identity)
      sendJson(response, 200, answer)
    })
  }

  /** `GET {hub}/events`: the channel as a plain event stream. */
  events(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    return this.#answer(request, response, async () => {
      if (request.method !== 'GET') {
        send(response, 405, '', { ...PLAIN, Allow: 'GET' })
        return
      }
      requireFirstInLine(response)
      const last = request.headers['last-event-id']
      const position = parsePositionText(
        (Array.isArray(last) ? last[0] : last) ?? findIgnoringCase(query, 'position') ?? '',
      )
      const seat = this.#seat(request)
      response.once('close', () => seat.release())
      const identity = await this.#authenticator.identify(request)
      seat.assign(identity.user)
      if (response.destroyed) return
      this.#carriers.openPlainEvents(response, {
        id: this.#parts.createId(),
        identity,
        position,
        seat,
        request,
        http: undefined,
      })
    })
  }

  /** `POST {hub}/refresh?id=`: the client of a connection shows newer credentials. Source: SIGNALR 2.12. */
  refresh(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    return this.#answer(request, response, async () => {
      const token = findIgnoringCase(query, 'id')
      const onGone = (): void => sendJson(response, 404, { error: 'connection_not_found' })
      if (token && request.method === 'POST' && this.#passOn(token, request, response, onGone)) return
      const http = this.#findToRefresh(request.method, token)
      if (!('token' in http)) {
        const { status, error } = http
        sendJson(response, status, { error }, status === 405 ? { Allow: 'POST' } : {})
        return
      }
      const identity = await this.#identifyOrNot(request)
      // Whom messages are for stays as it was: another user has to connect anew.
      if (!identity || identity.user !== http.identity.user) {
        sendJson(response, 401, { error: 'invalid_token' }, { 'WWW-Authenticate': 'Bearer' })
        return
      }
      http.connection?.renew(identity)
      sendJson(response, 200, lifetimeOf(identity, this.#parts.clock.now()))
    })
  }

  /** Any other request to the path that is no upgrade: server-sent events, long polling, and what clients send there. */
  request(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    return this.#answer(request, response, async () => {
      const { method } = request
      if (method !== 'GET' && method !== 'POST' && method !== 'DELETE') {
        send(response, 405, '', { ...PLAIN, Allow: 'GET, POST, DELETE' })
        return
      }
      const token = findIgnoringCase(query, 'id')
      const onGone = (): void => send(response, 404, 'No Connection with that ID', PLAIN)
      if (token && this.#passOn(token, request, response, onGone)) return
      const identity = await this.#authenticator.identify(request)
      // Nobody would say of a client that went away meanwhile that it is gone.
      if (response.destroyed) return
      if (!token) {
        send(response, 400, 'Connection ID required', PLAIN)
        return
      }
      const http = this.#connections.get(token)
      if (!http) {
        onGone()
        return
      }
      requireSameUser(http, identity)
      http.connection?.renew(identity)
      if (method === 'POST') await this.#receive(http, request, response)
      else if (method === 'DELETE') leave(http, response)
      else this.#carry(http, { request, query, identity }, response)
    })
  }

  /** An upgrade request to the path. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, query: URLSearchParams): Promise<void> {
    // Until ws takes over nobody else listens: an error without a listener would end the process.
    const onError = (): void => {
      socket.destroy()
    }
    socket.on('error', onError)
    let seat: Seat | undefined
    try {
      this.#parts.neighbours?.admit(request)
      requireAccess(request, this.#parts.access)
      if (!this.#parts.transports.includes('WebSockets')) {
        answerUpgrade(socket, 404, PLAIN['Content-Type'], notSupported('WebSockets'))
        return
      }
      seat = this.#seat(request)
      const position = parsePositionParameter(query)
      const token = findIgnoringCase(query, 'id')
      const identified = this.#authenticator.identify(request)
      // Without a promise the upgrade is answered in the turn in which it came.
      const identity = identified instanceof Promise ? await identified : identified
      const http = token ? await this.#find(token, identity, request) : undefined
      if (token && !http) throw new ChannelError('not_found', 'No Connection with that ID')
      if (http) {
        requireSameUser(http, identity)
        if (http.connection?.canResume) {
          socket.off('error', onError)
          seat.release()
          http.connection.renew(identity)
          this.#carriers.resumeWebSocket(socket, head, request, http.connection)
          return
        }
        if (http.carrier === 'WebSockets') {
          throw new ChannelError('already_open', 'The connection has a transport already.')
        }
        if (http.carrier) {
          seat.release()
          answerUpgrade(socket, 400, PLAIN['Content-Type'], CHANGED_TRANSPORT)
          return
        }
      }
      seat.assign(identity.user)
      if (socket.destroyed || this.#isClosed) {
        seat.release()
        socket.destroy()
        return
      }
      socket.off('error', onError)
      const id = http?.id ?? this.#parts.createId()
      const start = startOf(position, findIgnoringCase(query, 'owner'), identity.user)
      this.#carriers.openWebSocket(socket, head, { ...start, id, identity, seat, request, http })
    } catch (error) {
      seat?.release()
      refuseUpgrade(socket, toChannelError(error))
      this.#logError(error)
    }
  }

  /** `POST {hub}/claim`: another node takes a connection that was negotiated here. @returns false where there is none */
  claim(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): boolean {
    const { neighbours } = this.#parts
    if (!neighbours) return false
    try {
      const token = findIgnoringCase(query, 'id') ?? ''
      send(
        response,
        neighbours.grant(token, request, () => this.#connections.take(token)),
        '',
        PLAIN,
      )
    } catch (error) {
      sendProblem(response, toChannelError(error))
      this.#logError(error)
    }
    return true
  }

  /** Takes no more clients. Those that are there are the roster's to close. Idempotent. */
  close(): void {
    this.#isClosed = true
  }

  /** Ends when no client has anything left to ask, or after so long. */
  emptied(timeoutMs: number): Promise<void> {
    return this.#connections.emptied(timeoutMs)
  }

  #findToRefresh(method: string | undefined, token: string | undefined): HttpConnection | Refusal {
    if (method !== 'POST') return { status: 405, error: 'method_not_allowed' }
    if (!this.#parts.isRefreshAllowed) return { status: 404, error: 'refresh_disabled' }
    if (!token) return { status: 400, error: 'missing_connection_token' }
    const http = this.#connections.get(token)
    if (!http) return { status: 404, error: 'connection_not_found' }
    return http.version === 0 ? { status: 400, error: 'unsupported_negotiate_version' } : http
  }

  /** Undefined where the credentials are refused. */
  async #identifyOrNot(request: IncomingMessage): Promise<Identity | undefined> {
    try {
      return await this.#authenticator.identify(request)
    } catch (error) {
      if (error instanceof ChannelError && error.code === 'token_rejected') return undefined
      throw error
    }
  }

  /** A GET of a client that negotiated: it opens its transport, or polls. */
  #carry(http: HttpConnection, { request, query, identity }: Opening, response: ServerResponse): void {
    const name = request.headers.accept?.includes('text/event-stream') ? 'ServerSentEvents' : 'LongPolling'
    const { carrier } = http
    requireFirstInLine(response)
    if (!this.#parts.transports.includes(name)) send(response, 404, notSupported(name), PLAIN)
    else if (!carrier) {
      const position = parsePositionParameter(query)
      const seat = this.#seat(request)
      try {
        seat.assign(identity.user)
      } catch (error) {
        seat.release()
        throw error
      }
      const start = startOf(position, findIgnoringCase(query, 'owner'), identity.user)
      this.#carriers.open(name, response, { ...start, id: http.id, identity, seat, request, http })
    } else if (carrier instanceof LongPollingTransport && name === 'LongPolling') carrier.poll(response)
    else if (carrier instanceof ServerSentEventsTransport && name === 'ServerSentEvents') send(response, 409, '', PLAIN)
    else send(response, 400, CHANGED_TRANSPORT, PLAIN)
  }

  async #receive(http: HttpConnection, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (http.carrier === 'WebSockets') {
      send(response, 405, 'POST requests are not allowed for WebSocket connections.', PLAIN)
      return
    }
    const { receivedFrameBytesMax } = this.#parts.limits
    await http.receive(() => readBody(request, receivedFrameBytesMax, 'receivedFrameBytesMax'))
    send(response, 200, '', PLAIN)
  }

  /** A request of a connection that another node has. */
  #passOn(token: string, request: IncomingMessage, response: ServerResponse, onGone: () => void): boolean {
    return !this.#connections.get(token) && this.#parts.neighbours?.pass(token, request, response, onGone) === true
  }

  /** A connection that a WebSocket is to carry, wherever it was negotiated. */
  async #find(token: string, identity: Identity, request: IncomingMessage): Promise<HttpConnection | undefined> {
    const own = this.#connections.get(token)
    if (own) return own
    const ticket = await this.#parts.neighbours?.claim(token, identity.user, request)
    return ticket && this.#connections.adopt(ticket, token, identity)
  }

  #seat(request: IncomingMessage): Seat {
    this.#requireOpen()
    return this.#parts.roster.reserve(clientOriginOf(request).address)
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new ChannelError('server_shutdown', 'The server is going down; connect again.')
  }

  async #answer(request: IncomingMessage, response: ServerResponse, run: () => Promise<void>): Promise<void> {
    try {
      this.#parts.neighbours?.admit(request)
      requireAccess(request, this.#parts.access)
      if (allowOrigin(request, response, this.#parts.access)) await run()
    } catch (error) {
      // A client that went away has nobody to answer.
      if (request.destroyed && !(error instanceof ChannelError)) return
      const known = toChannelError(error)
      sendProblem(response, known, known.status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {})
      this.#logError(error)
    }
  }

  #logError(error: unknown): void {
    if (!(error instanceof ChannelError)) this.#parts.logger.error({ err: error }, 'A request to the hub failed')
  }
}

/** Why credentials are not renewed, in .NET's words (SIGNALR 2.12). */
interface Refusal {
  readonly status: number
  readonly error: string
}

/** A request of a client that negotiated. */
interface Opening {
  readonly request: IncomingMessage
  readonly query: URLSearchParams
  readonly identity: Identity
}

/** In .NET's words (SIGNALR 2.2 H2). */
function notSupported(transport: TransportName): string {
  return `${transport} transport not supported by this end point type`
}

function leave({ carrier }: HttpConnection, response: ServerResponse): void {
  if (carrier instanceof LongPollingTransport) {
    carrier.leave()
    send(response, 202, '', PLAIN)
  } else send(response, 400, 'Cannot terminate this connection using the DELETE endpoint.', PLAIN)
}

/** A token that leaked is of no use to another user. */
function requireSameUser(http: HttpConnection, identity: Identity): void {
  if (http.identity.user === identity.user) return
  throw new ChannelError('token_rejected', 'The connection was negotiated by another user.')
}

/** Undefined: no `position` in the query. Null: an empty one. */
function parsePositionParameter(query: URLSearchParams): Position | null | undefined {
  const text = findIgnoringCase(query, 'position')
  return text === undefined ? undefined : parsePositionText(text)
}

function parsePositionText(text: string): Position | null {
  if (text === '') return null
  const position = parsePosition(text)
  if (!position) throw new ChannelError('position_invalid', "'position' is not of the form epoch:offset.")
  return position
}
