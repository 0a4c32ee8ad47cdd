import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { text as readText } from 'node:stream/consumers'
import { ChannelError, type MappedHub } from 'serverchannel'
import type { ConformanceContract } from './hub.ts'

export type ServedHub = MappedHub<ConformanceContract>

export interface PagesParts {
  readonly hubs: readonly ServedHub[]
  readonly createToken: () => Promise<string>
}

const BODY_MAX = 1_000_000
const COOKIES = [
  'testCookie=testValue',
  'testCookie2=testValue2',
  'expiredCookie=doesntmatter; expires=Thu, 01 Jan 1970 00:00:00 GMT',
]

/** What the conformance server answers besides its hubs. Source: SIGNALR 6. */
export class ConformancePages {
  readonly #parts: PagesParts
  #redirects = 0

  constructor(parts: PagesParts) {
    this.#parts = parts
  }

  /** Cookies of every negotiation, whoever answers it. */
  addCookies(request: IncomingMessage, response: ServerResponse): void {
    if (urlOf(request).pathname.toLowerCase().includes('/negotiate')) response.setHeader('Set-Cookie', COOKIES)
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    this.#answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) send(response, 500, error instanceof Error ? error.message : String(error))
    })
  }

  answerUpgrade(request: IncomingMessage, socket: Duplex): void {
    const location = echoLocation(request)
    const head = location === undefined ? '404 Not Found' : `307 Temporary Redirect\r\nLocation: ${location}`
    socket.on('error', () => {})
    socket.end(`HTTP/1.1 ${head}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    allowOrigin(request, response)
    const { pathname, searchParams: query } = urlOf(request)
    const path = pathname.toLowerCase()
    const location = echoLocation(request)
    if (request.method === 'OPTIONS') send(response, 204, '')
    else if (location !== undefined) send(response, 307, '', { Location: location })
    else if (path.startsWith('/bad-negotiate')) send(response, 400, 'Some response from server')
    else if (path.startsWith('/redirect') && path.endsWith('/negotiate')) this.#redirect(response, query)
    else if (path === '/health') send(response, 200, 'ok')
    else if (path === '/generatejwttoken') send(response, 200, await this.#parts.createToken())
    else if (path.startsWith('/clientresult/')) {
      send(response, 200, await this.#requestResult(decodeURIComponent(pathname.slice('/clientresult/'.length))))
    } else if (path === '/post' && request.method === 'POST') send(response, 200, await this.#post(request, query))
    else send(response, 404, 'There is nothing at this path.')
  }

  #redirect(response: ServerResponse, query: URLSearchParams): void {
    const url = `${query.get('baseUrl') ?? ''}/testHub?numRedirects=${++this.#redirects}`
    send(response, 200, JSON.stringify({ url }), { 'Content-Type': 'application/json' })
  }

  async #requestResult(id: string): Promise<string> {
    let text = `There is no connection '${id}'.`
    for (const { clients } of this.#parts.hubs) {
      try {
        return String(await clients.client(id).invoke('Result'))
      } catch (error) {
        if (!(error instanceof Error)) throw error
        // It may be of another hub.
        if (!(error instanceof ChannelError) || error.code !== 'not_found') return error.message
        text = error.message
      }
    }
    return text
  }

  async #post(request: IncomingMessage, query: URLSearchParams): Promise<string> {
    const given = await readText(request)
    const size = query.get('size')
    const body = size === null ? given : 'x'.repeat(Math.min(Number(size), BODY_MAX))
    const count = Number(query.get('n') ?? 1)
    for (let seq = 0; seq < count; seq++) {
      const message = { seq, t: Math.round((performance.timeOrigin + performance.now()) * 1000), body }
      for (const { clients } of this.#parts.hubs) targetOf(clients, query).send('message', message)
    }
    return String(count)
  }
}

function targetOf(clients: ServedHub['clients'], query: URLSearchParams) {
  const [group, user, connection] = ['group', 'user', 'connection'].map((name) => query.get(name))
  if (group) return clients.group(group)
  if (user) return clients.user(user)
  return connection ? clients.client(connection) : clients.all
}

/** Where `/echoredirect…` leads to; undefined for other paths. */
function echoLocation(request: IncomingMessage): string | undefined {
  const { pathname, search } = urlOf(request)
  return /^\/echoredirect/i.test(pathname) ? pathname.replace(/^\/echoredirect/i, '/echo') + search : undefined
}

function allowOrigin({ headers }: IncomingMessage, response: ServerResponse): void {
  const { origin } = headers
  if (origin === undefined) return
  const method = headers['access-control-request-method']
  const asked = headers['access-control-request-headers']
  response.setHeader('Access-Control-Allow-Origin', origin)
  response.setHeader('Access-Control-Allow-Credentials', 'true')
  response.setHeader('Vary', 'Origin')
  if (method !== undefined) response.setHeader('Access-Control-Allow-Methods', method)
  if (asked !== undefined) response.setHeader('Access-Control-Allow-Headers', asked)
}

function send(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  const length = status === 204 ? {} : { 'Content-Length': Buffer.byteLength(text) }
  response.writeHead(status, { 'Content-Type': 'text/plain', ...length, ...headers })
  response.end(text)
}

function urlOf({ url }: IncomingMessage): URL {
  return new URL(url ?? '/', 'http://conformance.invalid')
}
