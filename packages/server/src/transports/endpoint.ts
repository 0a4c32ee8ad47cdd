import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Codec, type Position, parsePosition } from '@serverchannel/protocol'
import type { Logger } from 'pino'
import { type AccessOptions, requireAccess } from '../auth/access.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Transport } from '../channel/transport.ts'
import { type Hub, HubConnection } from '../hub/hub-connection.ts'
import { Roster, type Seat } from '../hub/roster.ts'
import type { Authenticate, Identity, Limits } from '../options.ts'
import { send, sendJson, sendProblem, toChannelError } from './answer.ts'
import { Authenticator } from './authenticator.ts'
import { allowOrigin } from './cors.ts'
import { eventStreamCodec } from './event-stream-codec.ts'
import type { HttpConnection } from './http-connection.ts'
import { LongPollingTransport, POLL_HEADERS } from './long-polling.ts'
import { findIgnoringCase, HttpConnections } from './negotiate.ts'
import { answerUpgrade, refuseUpgrade } from './refuse-upgrade.ts'
import { readBody } from './request-body.ts'
import { ServerSentEventsTransport } from './server-sent-events.ts'
import { WebSocketAcceptor } from './websocket.ts'

export interface EndpointParts {
  readonly hub: Hub
  readonly codecs: readonly Codec[]
  readonly limits: Limits
  readonly access: AccessOptions
  readonly authenticate: Authenticate
  readonly clock: Clock
  readonly logger: Logger
  readonly createId: () => string
}

/** A client at the moment its transport opens. */
interface Arrival {
  readonly id: string
  readonly identity: Identity
  readonly position: Position | null | undefined
  readonly seat: Seat
  /** Where the client negotiated. */
  readonly http: HttpConnection | undefined
}

/** A request of a client that negotiated, which may open its transport. */
interface Opening {
  readonly request: IncomingMessage
  readonly query: URLSearchParams
  readonly identity: Identity
}

const CHANGED_TRANSPORT = 'Cannot change transports mid-connection'
const PLAIN = { 'Content-Type': 'text/plain' }

/** A hub on HTTP: who may connect, negotiation, and the transports. Source: SIGNALR 2.1 to 2.6. */
export class Endpoint {
  readonly #parts: EndpointParts
  readonly #authenticator: Authenticator
  readonly #connections: HttpConnections
  readonly #roster: Roster
  readonly #acceptor: WebSocketAcceptor
  #isClosed = false

  constructor(parts: EndpointParts) {
    const { limits, clock, createId } = parts
    this.#parts = parts
    this.#authenticator = new Authenticator(parts)
    this.#connections = new HttpConnections(limits, clock, createId)
    this.#roster = new Roster(limits, clock, (now) => this.#connections.tick(now))
    this.#acceptor = new WebSocketAcceptor(limits)
  }

  get connectionCount(): number {
    return this.#roster.count
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** `POST {hub}/negotiate` */
  negotiate(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    return this.#answer(request, response, async () => {
      if (request.method !== 'POST') {
        send(response, 405, '', { ...PLAIN, Allow: 'POST' })
        return
      }
      this.#requireOpen()
      sendJson(response, 200, this.#connections.negotiate(query, await this.#authenticator.identify(request)))
    })
  }

  /** `GET {hub}/events`: the channel as a plain event stream. */
  events(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    return this.#answer(request, response, async () => {
      if (request.method !== 'GET') {
        send(response, 405, '', { ...PLAIN, Allow: 'GET' })
        return
      }
      const last = request.headers['last-event-id']
      const position = parsePositionText(
        (Array.isArray(last) ? last[0] : last) ?? findIgnoringCase(query, 'position') ?? '',
      )
      const seat = this.#seat(request)
      response.once('close', () => seat.release())
      const identity = await this.#authenticator.identify(request)
      seat.assign(identity.user)
      if (response.destroyed) return
      const transport = this.#createEventStream(response, true)
      const arrival = { id: this.#parts.createId(), identity, position, seat, http: undefined }
      const connection = this.#createConnection(transport, arrival)
      transport.listen(connection)
      connection.openAs(eventStreamCodec)
    })
  }

  /** Any other request to the hub's path that is no upgrade: server-sent events, long polling, and what clients send there. */
  request(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    return this.#answer(request, response, async () => {
      const { method } = request
      if (method !== 'GET' && method !== 'POST' && method !== 'DELETE') {
        send(response, 405, '', { ...PLAIN, Allow: 'GET, POST, DELETE' })
        return
      }
      const identity = await this.#authenticator.identify(request)
      // Nobody would say of a client that went away meanwhile that it is gone.
      if (response.destroyed) return
      const token = findIgnoringCase(query, 'id')
      if (!token) {
        send(response, 400, 'Connection ID required', PLAIN)
        return
      }
      const http = this.#connections.get(token)
      if (!http) {
        send(response, 404, 'No Connection with that ID', PLAIN)
        return
      }
      requireSameUser(http, identity)
      http.hubConnection?.renew(identity)
      if (method === 'POST') await this.#receive(http, request, response)
      else if (method === 'DELETE') leave(http, response)
      else if (request.headers.accept?.includes('text/event-stream')) {
        this.#openEvents(http, { request, query, identity }, response)
      } else this.#poll(http, { request, query, identity }, response)
    })
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
      seat = this.#seat(request)
      const position = parsePositionParameter(query)
      const token = findIgnoringCase(query, 'id')
      const identity = await this.#authenticator.identify(request)
      const http = token ? this.#connections.get(token) : undefined
      if (token && !http) throw new ChannelError('not_found', 'No Connection with that ID')
      if (http) {
        requireSameUser(http, identity)
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
      if (http) this.#connections.opened(http)
      http?.open('WebSockets')
      socket.off('error', onError)
      const arrival = { id: http?.id ?? this.#parts.createId(), identity, position, seat, http }
      this.#acceptWebSocket(request, socket, head, arrival)
    } catch (error) {
      seat?.release()
      refuseUpgrade(socket, toChannelError(error))
      this.#logError(error)
    }
  }

  /** Says to all clients that they may come back later, and takes no more. Ends when they are gone, within a bounded time. Idempotent. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.#roster.close(new ChannelError('server_shutdown', 'The server is going down; connect again.'))
  }

  #acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, arrival: Arrival): void {
    // Also where ws refuses the upgrade, and never opens: then the socket ends without a connection.
    socket.once('close', () => {
      arrival.seat.release()
      if (arrival.http) this.#connections.gone(arrival.http)
    })
    this.#acceptor.accept(request, socket, head, (transport) => this.#createConnection(transport, arrival))
  }

  #openEvents(http: HttpConnection, opening: Opening, response: ServerResponse): void {
    if (http.carrier instanceof ServerSentEventsTransport) {
      send(response, 409, '', PLAIN)
      return
    }
    if (http.carrier) {
      send(response, 400, CHANGED_TRANSPORT, PLAIN)
      return
    }
    this.#openCarrier(http, opening, this.#createEventStream(response, false))
  }

  #poll(http: HttpConnection, opening: Opening, response: ServerResponse): void {
    if (http.carrier instanceof LongPollingTransport) {
      http.carrier.poll(response)
      return
    }
    if (http.carrier) {
      send(response, 400, CHANGED_TRANSPORT, PLAIN)
      return
    }
    const { clock, limits } = this.#parts
    const { pollTimeoutMs, disconnectTimeoutMs, closeTimeoutMs } = limits
    const onEnd = (): void => this.#connections.gone(http)
    const carrier = new LongPollingTransport({ clock, pollTimeoutMs, disconnectTimeoutMs, closeTimeoutMs, onEnd })
    this.#openCarrier(http, opening, carrier)
    // The first poll is answered at once: the client learns from it that the transport works (L1).
    send(response, 200, '', { ...POLL_HEADERS, 'Content-Type': 'application/octet-stream' })
  }

  #openCarrier(
    http: HttpConnection,
    { request, query, identity }: Opening,
    carrier: ServerSentEventsTransport | LongPollingTransport,
  ): void {
    const position = parsePositionParameter(query)
    const seat = this.#seat(request)
    try {
      seat.assign(identity.user)
    } catch (error) {
      seat.release()
      throw error
    }
    const connection = this.#createConnection(carrier, { id: http.id, identity, position, seat, http })
    this.#connections.opened(http)
    carrier.listen(connection)
    http.open(carrier, connection)
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

  #createEventStream(response: ServerResponse, isRaw: boolean): ServerSentEventsTransport {
    const { clock, limits } = this.#parts
    return new ServerSentEventsTransport(response, { clock, closeTimeoutMs: limits.closeTimeoutMs, isRaw })
  }

  #createConnection(transport: Transport, { id, identity, position, seat, http }: Arrival): HubConnection {
    const { limits, clock, hub, codecs, logger } = this.#parts
    const connection = new HubConnection({
      id,
      identity,
      position,
      transport,
      hub,
      codecs,
      limits,
      clock,
      onGone: (gone) => {
        this.#roster.remove(gone)
        seat.release()
        // Who polls still has to learn it: then the transport says when nobody needs to any more.
        if (http && !(transport instanceof LongPollingTransport)) this.#connections.gone(http)
      },
      onEnd: (ended, error) => {
        if (!error) return
        const { code, message, cause } = error
        const details = { code, connection: ended.id, user: ended.identity.user }
        if (code === 'internal' || code === 'store_failed') logger.error({ ...details, err: cause ?? error }, message)
        else logger.info(details, message)
      },
    })
    this.#roster.add(connection)
    return connection
  }

  #seat(request: IncomingMessage): Seat {
    this.#requireOpen()
    return this.#roster.reserve(request.socket.remoteAddress ?? '')
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new ChannelError('server_shutdown', 'The server is going down; connect again.')
  }

  async #answer(request: IncomingMessage, response: ServerResponse, run: () => Promise<void>): Promise<void> {
    try {
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
