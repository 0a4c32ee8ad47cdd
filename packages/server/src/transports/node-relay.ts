import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import { sendProblem } from './answer.ts'
import { NODE_HEADER } from './node-signature.ts'

/** Another node, and how a request proves to it where it comes from. */
export interface NodeTarget {
  readonly name: string
  readonly url: URL
  readonly sign: (method: string, url: string) => string
}

export interface NodeRelayParts {
  readonly limits: Limits
  readonly clock: Clock
  /** Told whether a node answers, with each request to it. */
  readonly onContact: (node: string, error: Error | undefined) => void
}

export interface PassOptions {
  /**
   * Of a body. The other node refuses what is longer too, but then ends the connection, and its answer is lost to one
   * that is still sending.
   */
  readonly bytesMax: number
  /** Answers the client where the other node does not. */
  readonly onGone: () => void
}

/** What a node says of a request that another one makes. Undefined: it did not answer in time. */
export type NodeAnswer = number | undefined

/** Less than the five seconds after which Node's servers end an idle connection, so that none is used at its end. */
const IDLE_MS = 3000
const IDLE_SOCKETS_MAX = 64
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

/** Passes requests of clients on to the node that has their connection, and its answers back, both as they come. */
export class NodeRelay {
  readonly #parts: NodeRelayParts
  readonly #agents = {
    'http:': new HttpAgent({ keepAlive: true, timeout: IDLE_MS, maxFreeSockets: IDLE_SOCKETS_MAX }),
    'https:': new HttpsAgent({ keepAlive: true, timeout: IDLE_MS, maxFreeSockets: IDLE_SOCKETS_MAX }),
  }
  readonly #passages = new Set<Passage>()
  #isClosed = false

  constructor(parts: NodeRelayParts) {
    this.#parts = parts
  }

  /** @throws ChannelError `server_shutdown`, `too_many_connections` */
  pass(
    target: NodeTarget,
    request: IncomingMessage,
    response: ServerResponse,
    { bytesMax, onGone }: PassOptions,
  ): void {
    const { limits } = this.#parts
    if (this.#isClosed) throw shutdown()
    if (this.#passages.size >= limits.relayedRequestsMax) {
      throw new ChannelError('too_many_connections', 'Too many requests are passed on to other nodes already.')
    }
    const passage = new Passage(request, response, {
      open: (headers) => {
        const { method = 'GET', url = '/' } = request
        const signature = { [NODE_HEADER]: target.sign(method, url) }
        return this.#open(target, method, url, { ...headers, ...signature })
      },
      silenceMsMax: silenceMsMax(request, limits),
      bytesMax,
      onGone,
      onContact: (error) => this.#parts.onContact(target.name, error),
      onEnd: () => this.#passages.delete(passage),
    })
    this.#passages.add(passage)
    passage.start()
  }

  /** Asks another node something that has no body. @returns the status of its answer */
  async ask(target: NodeTarget, method: string, url: string): Promise<NodeAnswer> {
    const { clock, limits, onContact } = this.#parts
    if (this.#isClosed) return undefined
    return await new Promise((resolve) => {
      const asked = this.#open(target, method, url, { [NODE_HEADER]: target.sign(method, url), 'Content-Length': 0 })
      const timer = clock.after(limits.nodeTimeoutMs, () => asked.destroy(new Error('The node did not answer in time')))
      const finish = (answer: NodeAnswer, error?: Error): void => {
        timer.stop()
        onContact(target.name, error)
        resolve(answer)
      }
      asked.on('error', (error) => finish(undefined, error))
      asked.on('response', (response) => {
        response.resume()
        finish(response.statusCode)
      })
      asked.end()
    })
  }

  /** Ends what is under way, so that its clients connect again, and takes nothing more. Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const passage of this.#passages) passage.end()
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }

  #open(
    { url: { protocol, hostname, port } }: NodeTarget,
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
  ): ClientRequest {
    const isEncrypted = protocol === 'https:'
    const { clock, limits } = this.#parts
    const opened = (isEncrypted ? httpsRequest : httpRequest)({
      agent: this.#agents[isEncrypted ? 'https:' : 'http:'],
      // As in URLs, an IPv6 address stands in brackets.
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port || (isEncrypted ? 443 : 80),
      method,
      path,
      headers,
    })
    opened.once('socket', (socket) => {
      if (!socket.connecting) return
      const timer = clock.after(limits.nodeTimeoutMs, () => opened.destroy(new Error('The node took no connection')))
      socket.once('connect', () => timer.stop()).once('close', () => timer.stop())
    })
    return opened
  }
}

interface PassageParts extends PassOptions {
  readonly open: (headers: OutgoingHttpHeaders) => ClientRequest
  /** The other node is gone when nothing came of it for so long. */
  readonly silenceMsMax: number
  readonly onContact: (error: Error | undefined) => void
  readonly onEnd: () => void
}

/** One request on its way to another node and back. It is over when its client's response is. */
class Passage {
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
    upstream.setTimeout(this.#parts.silenceMsMax, () => upstream.destroy(new Error('The node fell silent')))
    upstream.on('response', (answer) => this.#answer(answer))
    upstream.on('error', (error) => this.#failed(upstream, error))
    if (hasBody) this.#sendBody(upstream)
    else upstream.end()
  }

  #sendBody(upstream: ClientRequest): void {
    const request = this.#request
    const { bytesMax } = this.#parts
    let bytes = 0
    const refuse = (): void => {
      request.unpipe(upstream)
      upstream.destroy()
      sendProblem(
        this.#response,
        new ChannelError('request_too_large', `The request has more than the ${bytesMax} bytes that are allowed.`),
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
    const { code } = error as NodeJS.ErrnoException
    // The other node gave an idle connection up in the moment in which it was used.
    if (upstream.reusedSocket && code === 'ECONNRESET' && request.method === 'GET' && !this.#wasTriedAgain) {
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

function passableHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? '').toLowerCase().split(/\s*,\s*/))
  const passable = Object.entries(headers).filter(([name]) => !HOP_HEADERS.has(name) && !named.has(name))
  return Object.fromEntries(passable)
}

/** Event streams have pings, polls their end. */
function silenceMsMax({ method, headers }: IncomingMessage, limits: Limits): number {
  const isStream = method === 'GET' && headers.accept?.includes('text/event-stream')
  return GRACE_MS + (isStream ? 2 * limits.keepAliveIntervalMs : limits.pollTimeoutMs)
}

function shutdown(): ChannelError {
  return new ChannelError('server_shutdown', 'The server is going down; connect again.')
}
