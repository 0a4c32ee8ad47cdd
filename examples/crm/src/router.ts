import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Problem } from './problem.ts'

interface Call {
  /** What stood in the place of `:name` in the route's path. */
  param(name: string): string
  /** The same as a whole number. @throws Problem 404 where it is none */
  id(name: string): number
  /** Who asks, from `?user=`. @throws Problem 400 where nobody is named */
  user(): string
  /** The request's body. @throws Problem 400, 413, 415 where it is no JSON object of a sensible size */
  body(): Promise<Record<string, unknown>>
}

export interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly content: string | Buffer
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** With `:name` for a part that may be anything. */
  readonly path: string
  readonly answer: (call: Call) => Answer | Promise<Answer>
}

const BODY_BYTES_MAX = 65_536

export function json(value: unknown, status = 200): Answer {
  return { status, headers: { 'Content-Type': 'application/json' }, content: JSON.stringify(value) }
}

/** Answers requests by the first route that fits; what goes wrong is answered as problem+json (RFC 9457). */
export function createRouter(routes: readonly Route[]): RequestListener {
  const compiled = routes.map((route) => ({ ...route, pattern: compile(route.path) }))

  const find = (request: IncomingMessage): (() => Answer | Promise<Answer>) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const fitting = compiled.flatMap((route) => {
      const match = route.pattern.exec(pathname)
      return match ? [{ route, params: new Map(Object.entries(match.groups ?? {})) }] : []
    })
    const found = fitting.find(({ route }) => route.method === method)
    if (found) return () => found.route.answer(createCall(request, searchParams, found.params))
    if (fitting.length === 0) throw new Problem(404, 'There is nothing at this path.')
    const allow = fitting.map(({ route }) => route.method).join(', ')
    throw new Problem(405, `This path answers to ${allow}.`, { Allow: allow })
  }

  return (request, response) => {
    void (async () => {
      try {
        requireOwnPages(request)
        send(response, await find(request)())
      } catch (error) {
        send(response, toAnswer(error))
      }
    })()
  }
}

function compile(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
}

function createCall(request: IncomingMessage, query: URLSearchParams, params: ReadonlyMap<string, string>): Call {
  const param = (name: string): string => params.get(name) ?? ''
  return {
    param,
    id(name) {
      if (/^\d{1,9}$/.test(param(name))) return Number(param(name))
      throw new Problem(404, `'${param(name)}' is no number.`)
    },
    user() {
      const user = query.get('user') ?? ''
      if (/^[\w.@-]{1,64}$/.test(user)) return user
      throw new Problem(400, "Say who you are with '?user=anna'.")
    },
    body: () => readObject(request),
  }
}

/**
 * The example knows no passwords, so it takes care that only its own pages, and programs of this machine, can use it:
 * not a page of another site, and not one whose name was made to point here.
 */
function requireOwnPages({ headers: { host = '', origin } }: IncomingMessage): void {
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : ''
  const isLoopback = name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)
  if (!isLoopback) throw new Problem(403, 'This example serves the machine that it runs on.')
  if (origin !== undefined && origin !== `http://${host}`)
    throw new Problem(403, 'Pages of other sites may not use this.')
}

async function readObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new Problem(415, "The body needs to be 'Content-Type: application/json'.")
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new Problem(413, `The body is longer than ${BODY_BYTES_MAX} bytes.`)
    chunks.push(chunk)
  }
  const value = parse(Buffer.concat(chunks).toString('utf8'))
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Problem(400, 'The body needs to be a JSON object.')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Problem(400, 'The body is no JSON.')
  }
}

function toAnswer(error: unknown): Answer {
  if (!(error instanceof Problem)) console.error(error)
  const known =
    error instanceof Problem ? error : new Problem(500, 'Something went wrong inside the server; its log says what.')
  const { status, title, message: detail, headers } = known
  const content = JSON.stringify({ type: 'about:blank', title, status, detail })
  return { status, headers: { ...headers, 'Content-Type': 'application/problem+json' }, content }
}

function send(response: ServerResponse, { status = 200, headers, content }: Answer): void {
  if (response.headersSent || response.destroyed) return
  // Where part of the request was not read the connection can't serve another.
  const unread = response.req.complete ? {} : { Connection: 'close' }
  response.writeHead(status, {
    'Content-Length': Buffer.byteLength(content),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...unread,
    ...headers,
  })
  response.end(content)
}
