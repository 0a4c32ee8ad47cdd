import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Position } from '@serverchannel/protocol'
import type { Logger } from 'pino'
import { clientOriginOf } from '../auth/client-origin.ts'
import type { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Transport, TransportListener } from '../channel/transport.ts'
import type { HubRequest } from '../hub/hub-peer.ts'
import type { Roster, Seat } from '../hub/roster.ts'
import type { ServedConnection, ServedConnectionInit } from '../hub/served-connection.ts'
import type { Identity, Limits } from '../options.ts'
import { send } from './answer.ts'
import type { HandOver } from './hand-over.ts'
import type { HttpConnection } from './http-connection.ts'
import { LongPollingTransport, POLL_HEADERS } from './long-polling.ts'
import type { HttpConnections, TransportName } from './negotiate.ts'
import { ServerSentEventsTransport } from './server-sent-events.ts'
import type { SocketWriter } from './socket-writer.ts'
import { logEnd, Stay, type StayParts } from './stay.ts'
import { WebSocketAcceptor } from './websocket.ts'

export interface CarriersParts {
  readonly serve: (init: ServedConnectionInit) => ServedConnection
  readonly serveEvents?: (init: ServedConnectionInit) => ServedConnection
  readonly keepsRequest: boolean
  readonly roster: Roster
  readonly limits: Limits
  readonly clock: Clock
  readonly logger: Logger
  readonly socketWriter: SocketWriter
  /** Other processes that serve WebSockets; left out where there are none. */
  readonly handOver?: HandOver | undefined
}

/** A client at the moment its transport opens. */
export interface Arrival {
  readonly id: string
  readonly identity: Identity
  readonly position: Position | null | undefined
  /** Whose it is, for a client that asks. */
  readonly owner?: string | undefined
  readonly seat: Seat
  readonly request: IncomingMessage
  /** Where the client negotiated. */
  readonly http: HttpConnection | undefined
}

/** Opens the transports of an endpoint's clients, with a connection on each. */
export class Carriers {
  readonly #parts: CarriersParts
  readonly #connections: HttpConnections
  readonly #acceptor: WebSocketAcceptor
  readonly #stayParts: StayParts

  constructor(parts: CarriersParts, connections: HttpConnections) {
    this.#parts = parts
    this.#connections = connections
    this.#stayParts = { roster: parts.roster, logger: parts.logger, connections }
    this.#acceptor = new WebSocketAcceptor(parts.limits, parts.socketWriter)
  }

  openWebSocket(socket: Duplex, head: Buffer, arrival: Arrival): void {
    const { request, seat, http } = arrival
    if (this.#handOver(socket, head, arrival)) return
    // Where ws refuses the upgrade, and never opens, the socket ends without a connection.
    const onRefused = (): void => {
      seat.release()
      if (http) this.#connections.gone(http)
    }
    socket.once('close', onRefused)
    if (http) this.#connections.opened(http)
    http?.open('WebSockets')
    this.#acceptor.accept(request, socket, head, (transport) => {
      // Left there, it would keep the request as long as the socket is open.
      socket.off('close', onRefused)
      const connection = this.#start(transport, arrival, this.#parts.serve)
      http?.open('WebSockets', connection)
    })
  }

  /** A client that was lost, or whose old socket is half open, goes on with this one (SIGNALR 0.3). */
  resumeWebSocket(socket: Duplex, head: Buffer, request: IncomingMessage, connection: ServedConnection): void {
    this.#acceptor.accept(request, socket, head, (transport) => {
      if (connection.resumeOn(transport)) return
      transport.listen(NOBODY)
      transport.abort()
    })
  }

  /** A client that negotiated opens it with this response. */
  open(name: Exclude<TransportName, 'WebSockets'>, response: ServerResponse, arrival: OpenArrival): void {
    const { http } = arrival
    const carrier = name === 'LongPolling' ? this.#createPolls(http) : this.#createEventStream(response, false)
    this.#connections.opened(http)
    http.open(carrier, this.#start(carrier, arrival, this.#parts.serve))
    // The first poll is answered at once: the client learns from it that the transport works (L1).
    if (name === 'LongPolling') {
      send(response, 200, '', { ...POLL_HEADERS, 'Content-Type': 'application/octet-stream' })
    }
  }

  /** A client that only listens, and needs no SignalR. */
  openPlainEvents(response: ServerResponse, arrival: Arrival): void {
    const { serveEvents } = this.#parts
    if (serveEvents) this.#start(this.#createEventStream(response, true), arrival, serveEvents)
  }

  #createPolls(http: HttpConnection): LongPollingTransport {
    const { clock, limits } = this.#parts
    const { pollTimeoutMs, disconnectTimeoutMs, closeTimeoutMs } = limits
    const onEnd = (): void => this.#connections.gone(http)
    return new LongPollingTransport({ clock, pollTimeoutMs, disconnectTimeoutMs, closeTimeoutMs, onEnd })
  }

  #createEventStream(response: ServerResponse, isRaw: boolean): ServerSentEventsTransport {
    const { clock, limits } = this.#parts
    return new ServerSentEventsTransport(response, { clock, closeTimeoutMs: limits.closeTimeoutMs, isRaw })
  }

  /** A client that could go on over another socket stays: that may come to this process only. */
  #handOver(socket: Duplex, head: Buffer, arrival: Arrival): boolean {
    const { handOver, roster, logger } = this.#parts
    const { id, identity, position, owner, seat, request, http } = arrival
    if (!handOver || http?.isStateful) return false
    const onGone = (gone: ServedConnection): void => {
      roster.remove(gone)
      seat.release()
      if (http) this.#connections.gone(http)
    }
    const onEnd = (ended: ServedConnection, error: ChannelError | undefined): void => logEnd(logger, ended, error)
    const connection = handOver.take(socket, { id, identity, position, owner, request, head, onGone, onEnd })
    if (!connection) return false
    if (http) this.#connections.opened(http)
    http?.open('WebSockets', connection)
    roster.add(connection)
    return true
  }

  #start(
    transport: Transport,
    arrival: Arrival,
    serve: (init: ServedConnectionInit) => ServedConnection,
  ): ServedConnection {
    const { roster, keepsRequest } = this.#parts
    const request = keepsRequest ? toHubRequest(arrival.request, transport.name) : UNKEPT[transport.name]
    const connection = serve(new Stay(arrival, transport, request, this.#stayParts))
    roster.add(connection)
    connection.start()
    return connection
  }
}

const NOBODY: TransportListener = { onData() {}, onDrain() {}, onClose() {} }

type OpenArrival = Arrival & { readonly http: HttpConnection }

function toHubRequest(request: IncomingMessage, transport: TransportName): HubRequest {
  const { url = '', headers } = request
  return { transport, url, headers, remoteAddress: clientOriginOf(request).address || undefined }
}

const NOTHING = { url: '', headers: {}, remoteAddress: undefined }
const UNKEPT: Readonly<Record<TransportName, HubRequest>> = {
  WebSockets: { transport: 'WebSockets', ...NOTHING },
  ServerSentEvents: { transport: 'ServerSentEvents', ...NOTHING },
  LongPolling: { transport: 'LongPolling', ...NOTHING },
}
