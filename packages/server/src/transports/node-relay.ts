import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import { requireFirstInLine } from './answer.ts'
import { isStale, Passage, type PassOptions, shutdown } from './node-passage.ts'
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

/** What a node says of a request that another one makes. Undefined: it did not answer in time. */
export type NodeAnswer = number | undefined

const REFUSED = 'It does not take this one for a node: do secret, addresses and clocks agree?'
/** Less than the five seconds after which Node's servers end an idle connection, so that none is used at its end. */
const IDLE_MS = 3000
const IDLE_SOCKETS_MAX = 64

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
  pass(target: NodeTarget, request: IncomingMessage, response: ServerResponse, options: PassOptions): void {
    if (this.#isClosed) throw shutdown()
    requireFirstInLine(response)
    if (this.#passages.size >= this.#parts.limits.relayedRequestsMax) {
      throw new ChannelError('too_many_connections', 'Too many requests are passed on to other nodes already.')
    }
    const passage = new Passage(request, response, {
      open: (headers) => {
        const { method = 'GET', url = '/' } = request
        const signature = { [NODE_HEADER]: target.sign(method, url) }
        return this.#open(target, method, url, { ...headers, ...signature })
      },
      ...options,
      onContact: (error) => this.#parts.onContact(target.name, error),
      onEnd: () => this.#passages.delete(passage),
    })
    this.#passages.add(passage)
    passage.start()
  }

  /** Asks another node something that has no body. @returns the status of its answer */
  async ask(target: NodeTarget, method: string, url: string): Promise<NodeAnswer> {
    if (this.#isClosed) return undefined
    const first = await this.#ask(target, method, url)
    const last = first.canAskAgain ? await this.#ask(target, method, url) : first
    this.#parts.onContact(target.name, last.status === 403 ? new Error(REFUSED) : last.error)
    return last.status
  }

  async #ask(target: NodeTarget, method: string, url: string): Promise<Asked> {
    const { clock, limits } = this.#parts
    return await new Promise((resolve) => {
      const asked = this.#open(target, method, url, { [NODE_HEADER]: target.sign(method, url), 'Content-Length': 0 })
      const timer = clock.after(limits.nodeTimeoutMs, () => asked.destroy(new Error('It did not answer in time')))
      asked.on('error', (error) => {
        timer.stop()
        resolve({ error, canAskAgain: isStale(asked, error) })
      })
      asked.on('response', (response) => {
        timer.stop()
        response.resume()
        resolve({ status: response.statusCode })
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
      const timer = clock.after(limits.nodeTimeoutMs, () => opened.destroy(new Error('It took no connection')))
      socket.once('connect', () => timer.stop()).once('close', () => timer.stop())
    })
    return opened
  }
}

interface Asked {
  readonly status?: number | undefined
  readonly error?: Error
  readonly canAskAgain?: boolean
}
