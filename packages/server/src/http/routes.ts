import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { type AccessOptions, requireAccess } from '../auth/access.ts'
import { bearerToken } from '../auth/credentials.ts'
import type { Channel } from '../channel/channel.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Limits } from '../options.ts'
import { send, sendJson, sendProblem, toChannelError } from '../transports/answer.ts'
import type { Endpoint } from '../transports/endpoint.ts'
import type { ApplicationInfo } from './application-info.ts'
import { ClientScript } from './client-script.ts'
import { sendHistory } from './history.ts'
import { postMessages } from './messages.ts'

export interface RoutesParts {
  readonly channel: Channel
  readonly endpoints: EndpointTable
  readonly limits: Limits
  readonly access: AccessOptions
  readonly logger: Logger
  /** Begins with a slash and ends without one. */
  readonly apiPath: string
  /** Where Creatio's clients ask for their channel; left out where they don't. */
  readonly applicationInfo?: ApplicationInfo | undefined
  /** Whether the token may post; left out where nobody may post over HTTP. */
  readonly mayPost: ((token: string | undefined) => boolean) | undefined
  /** What is away now without which posts and clients are taken all the same, by its name, with the reason. */
  readonly degraded: () => Readonly<Record<string, string>> | undefined
}

/** What is served at which path. */
export interface EndpointTable {
  /** @param path in lower case */
  at(path: string): Endpoint | undefined
  /** Whether soon no more clients are taken. */
  readonly isDraining: boolean
}

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
}

const MESSAGES_ALLOW = 'GET, HEAD, POST'

/** Which requests are the channel's, and who answers each. */
export class Routes {
  readonly #parts: RoutesParts
  readonly #script = new ClientScript('serverchannel.js')
  /** With Creatio's sandbox, bridges and SDK besides. */
  readonly #creatioScript = new ClientScript('serverchannel-creatio.js')
  /** Of the SharedWorker that has the connection of all tabs. */
  readonly #worker = new ClientScript('shared-worker.js')

  constructor(parts: RoutesParts) {
    this.#parts = parts
  }

  /** Answers the request if it is the channel's or a hub's. @returns false, and the request untouched, where it is not */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { endpoints, apiPath, mayPost, applicationInfo } = this.#parts
    const { path, query } = parseUrl(request)
    const endpoint = endpoints.at(path)
    if (endpoint) {
      void endpoint.request(request, response, query)
      return true
    }
    if (path === apiPath && mayPost) {
      void this.#answer(request, response, () => this.#serveMessages(request, response, query, mayPost), MESSAGES_ALLOW)
      return true
    }
    if (applicationInfo?.handles(path)) {
      void this.#answer(request, response, () => applicationInfo.answer(path, request, response))
      return true
    }
    const slash = path.lastIndexOf('/')
    return this.#handleBelow(path.slice(0, slash), path.slice(slash + 1), { request, response, query })
  }

  /**
   * `/livez`: the process answers. `/readyz`: it takes posts and connections; `degraded` names what else is away. For
   * servers of the channel's own.
   */
  handleHealth(request: IncomingMessage, response: ServerResponse): boolean {
    const { channel, endpoints, degraded } = this.#parts
    const { path } = parseUrl(request)
    if (path !== '/livez' && path !== '/readyz') return false
    const trouble = channel.trouble ?? (endpoints.isDraining ? 'The server is going down.' : undefined)
    const isReady = trouble === undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      sendProblem(response, new ChannelError('method_not_allowed', 'Health is asked with GET.'), { Allow: 'GET, HEAD' })
    } else if (path === '/livez') send(response, 200, 'ok\n', { 'Content-Type': 'text/plain' })
    else {
      const { durability } = channel
      sendJson(response, isReady ? 200 : 503, { ready: isReady, durability, trouble, degraded: degraded() })
    }
    return true
  }

  /** Takes the upgrade if it is the channel's or a hub's. @returns false, and the socket untouched, where it is not */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const { path, query } = parseUrl(request)
    const endpoint = this.#parts.endpoints.at(path)
    if (!endpoint) return false
    void endpoint.upgrade(request, socket, head, query)
    return true
  }

  /** What is asked of a hub at a path below its own. */
  #handleBelow(hubPath: string, name: string, { request, response, query }: Asked): boolean {
    const endpoint = this.#parts.endpoints.at(hubPath)
    if (!endpoint) return false
    switch (name) {
      case 'negotiate':
        void endpoint.negotiate(request, response, query)
        return true
      case 'claim':
        return endpoint.claim(request, response, query)
      case 'refresh':
        void endpoint.refresh(request, response, query)
        return true
      case 'events':
        if (!endpoint.hasEvents) return false
        void endpoint.events(request, response, query)
        return true
      case 'serverchannel.js':
        if (!endpoint.hasEvents) return false
        void this.#answer(request, response, () => this.#script.answer(request, response))
        return true
      case 'serverchannel-creatio.js':
        if (!endpoint.hasEvents) return false
        void this.#answer(request, response, () => this.#creatioScript.answer(request, response))
        return true
      case 'shared-worker.js':
        if (!endpoint.hasEvents) return false
        void this.#answer(request, response, () => this.#worker.answer(request, response))
        return true
      default:
        return false
    }
  }

  async #serveMessages(
    request: IncomingMessage,
    response: ServerResponse,
    query: URLSearchParams,
    mayPost: (token: string | undefined) => boolean,
  ): Promise<void> {
    const { access, limits, channel } = this.#parts
    requireAccess(request, access)
    const isReading = request.method === 'GET' || request.method === 'HEAD'
    if (!isReading && request.method !== 'POST') {
      throw new ChannelError('method_not_allowed', 'Messages are posted with POST and read with GET.')
    }
    if (!mayPost(bearerToken(request, query))) {
      throw new ChannelError(
        'key_rejected',
        `${isReading ? 'Reading' : 'Posting'} needs 'Authorization: Bearer KEY' with a key that this server knows.`,
      )
    }
    if (isReading) await sendHistory(response, query, (asked) => channel.read(asked))
    else await postMessages(request, response, limits, (posts) => channel.post(posts))
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    run: () => void | Promise<void>,
    allow = 'POST',
  ): Promise<void> {
    try {
      await run()
    } catch (error) {
      // A client that went away while its request was read has nobody to answer.
      if (request.destroyed && !(error instanceof ChannelError)) return
      const known = toChannelError(error)
      if (known.code === 'internal' || known.code === 'store_failed') {
        this.#parts.logger.error({ err: known.cause ?? known }, known.message)
      }
      const allowed = known.code === 'method_not_allowed' ? { Allow: allow } : undefined
      const challenge = known.status === 401 ? { 'WWW-Authenticate': 'Bearer' } : undefined
      sendProblem(response, known, { ...allowed, ...challenge })
    }
  }
}

/** Paths match in any case, as in .NET (SIGNALR N1). */
function parseUrl(request: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  const path = (mark === -1 ? url : url.slice(0, mark)).toLowerCase()
  return { path, query: mark === -1 ? NO_QUERY : new URLSearchParams(url.slice(mark + 1)) }
}

/** Nobody changes a query. */
const NO_QUERY = new URLSearchParams()
