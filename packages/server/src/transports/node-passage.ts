import type {
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http'
import { ChannelError } from '../channel/channel-error.ts'
import type { Limits } from '../options.ts'
import { sendProblem } from './answer.ts'
import { NODE_HEADER } from './node-signature.ts'

export interface PassOptions {
  /** Of the endpoint: those of both nodes, which are the same. */
  readonly limits: Limits
  /** Answers the client where the other node does not. */
  readonly onGone: () => void
}

export interface PassageParts extends PassOptions {
  readonly open: (headers: OutgoingHttpHeaders) => ClientRequest
  readonly onContact: (error: Error | undefined) => void
  readonly onEnd: () => void
}

/** What the other node's own timers may be late, and the network with them. */
const GRACE_MS = 2000
/** Between two hops only (RFC 9110, 7.6.1), and what Node's client says itself. */
const HOP_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  NODE_HEADER,
])

/** One request on its way to another node and back. It is over when its client's response is. */
export class Passage {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #parts: PassageParts
  #upstream: ClientRequest | undefined
  #wasTriedAgain = false
  /** Whether the answer says how long it is, so that its client sees where something is missing. */
  #hasLength = false

  constructor(request: IncomingMessage, response: ServerResponse, parts: PassageParts) {
    this.#request = request
    this.#response = response
    this.#parts = parts
  }

  start(): void {
    // Also where the client goes away: the other node learns it at once.
    this.#response.once('close', () => {
      this.#upstream?.destroy()
      this.#parts.onEnd()
    })
    this.#response.on('error', () => {})
    this.#send()
  }

  /** This node goes down: the client comes back through another one. */
  end(): void {
    // A server that goes down would wait for the client to give the TCP connection up.
    this.#response.once('finish', () => this.#request.socket.destroySoon())
    if (this.#response.headersSent) this.#breakOff()
    else sendProblem(this.#response, shutdown(), { Connection: 'close' })
  }

  #send(): void {
    const request = this.#request
    const hasBody = request.method === 'POST'
    const headers = passableHeaders(request.headers)
    // Only of POSTs is a body read here. One of another method would have no frame once `Transfer-Encoding` is gone.
    if (!hasBody) delete headers['content-length']
    else if (headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked'
    const upstream = this.#parts.open(headers)
    this.#upstream = upstream
    upstream.setTimeout(silenceMsMax(request, this.#parts.limits), () => upstream.destroy(new Error('It fell silent')))
    upstream.on('response', (answer) => this.#answer(answer))
    upstream.on('error', (error) => this.#failed(upstream, error))
    if (hasBody) this.#sendBody(upstream)
    else upstream.end()
  }

  /**
   * The other node refuses a body that is too large too, but ends the connection then, and its answer would be lost to
   * one that is still sending.
   */
  #sendBody(upstream: ClientRequest): void {
    const request = this.#request
    const { receivedFrameBytesMax: bytesMax } = this.#parts.limits
    let bytes = 0
    const refuse = (): void => {
      request.unpipe(upstream)
      upstream.destroy()
      sendProblem(
        this.#response,
        new ChannelError(
          'request_too_large',
          `The request has more than the ${bytesMax} bytes that 'receivedFrameBytesMax' allows.`,
        ),
      )
      request.resume()
    }
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
      refuse()
      return
    }
    request.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > bytesMax && !this.#response.headersSent) refuse()
    })
    request.pipe(upstream)
  }

  #answer(answer: IncomingMessage): void {
    this.#parts.onContact(undefined)
    const response = this.#response
    answer.on('error', () => this.#breakOff())
    if (response.destroyed || response.headersSent) {
      answer.destroy()
      return
    }
    // What this node would have said: the other one says it too.
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    this.#hasLength = answer.headers['content-length'] !== undefined
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, passableHeaders(answer.headers))
    answer.pipe(response)
  }

  #failed(upstream: ClientRequest, error: Error): void {
    const request = this.#request
    const response = this.#response
    // The rest is read and dropped, so that the answer reaches a client that is still sending.
    request.unpipe(upstream).resume()
    // What was read of a body is gone, and answers that began can't begin again.
    if (response.headersSent || response.destroyed) return
    if (isStale(upstream, error) && request.method === 'GET' && !this.#wasTriedAgain) {
      this.#wasTriedAgain = true
      this.#send()
      return
    }
    this.#parts.onContact(error)
    this.#parts.onGone()
  }

  /** The answer will not become whole. An event stream has no length, so its client sees it end. */
  #breakOff(): void {
    if (this.#hasLength) this.#response.destroy()
    else this.#response.end()
    this.#upstream?.destroy()
  }
}

/** Whether the other node gave an idle connection up in the moment in which it was used. */
export function isStale(asked: ClientRequest, error: Error): boolean {
  return asked.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET'
}

function passableHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? '').toLowerCase().split(/\s*,\s*/))
  const passable = Object.entries(headers).filter(([name]) => !HOP_HEADERS.has(name) && !named.has(name))
  return Object.fromEntries(passable)
}

/** After how long without anything of it the other node is gone: event streams have pings, polls their end. */
function silenceMsMax({ method, headers }: IncomingMessage, limits: Limits): number {
  const isStream = method === 'GET' && headers.accept?.includes('text/event-stream')
  return GRACE_MS + (isStream ? 2 * limits.keepAliveIntervalMs : limits.pollTimeoutMs)
}

export function shutdown(): ChannelError {
  return new ChannelError('server_shutdown', 'The server is going down; connect again.')
}
