import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http'
import { expectEqual } from './check.ts'
import type { Scene } from './scene.ts'

export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** The body goes without its length. */
  readonly isChunked?: boolean
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly reason: string
  /** Names in lower case; of a name that comes twice, the values with a line feed between. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  readonly text: string
}

/** Asks the server, on a TCP connection of its own, and reads the whole answer. */
export function ask(scene: Scene, path: string, options: Ask = {}): Promise<Answer> {
  const request = openAsk(scene, path, options)
  sendBody(request, options)
  return answerTo(request)
}

/** The whole answer to a request. */
export function answerTo(request: ClientRequest): Promise<Answer> {
  const answer = responseTo(request).then(readAnswer)
  // A check that has failed awaits no more of what it asked.
  answer.catch(() => {})
  return answer
}

/** A request whose body has not been sent. */
export function openAsk(scene: Scene, path: string, options: Ask = {}): ClientRequest {
  const { method = 'GET', headers = {}, signal } = options
  scene.waitingFor = `the answer to ${method} ${path}`
  const request = openRequest(new URL(path, scene.url), {
    method,
    headers,
    agent: false,
    signal: signal ? AbortSignal.any([scene.signal, signal]) : scene.signal,
  })
  // Whoever awaits the answer is told; where nobody does, an error is no news.
  request.on('error', () => {})
  return request
}

export function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.once('error', reject)
  })
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  const body = Buffer.concat(pieces)
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? '',
    headers: headersOf(response),
    body,
    text: body.toString(),
  }
}

export function headersOf({ rawHeaders }: IncomingMessage): Map<string, string> {
  const headers = new Map<string, string>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    const before = headers.get(name)
    headers.set(name, before === undefined ? (rawHeaders[i + 1] ?? '') : `${before}\n${rawHeaders[i + 1] ?? ''}`)
  }
  return headers
}

/** Expects an answer in one go: its status, its type without parameters, its text. */
export function expectAnswer(answer: Answer, status: number, type: string, text: string): void {
  expectEqual(answer.status, status, 'status')
  expectEqual(typeOf(answer), type, 'Content-Type')
  expectEqual(answer.text, text, 'body')
}

export function typeOf({ headers }: Pick<Answer, 'headers'>): string | undefined {
  return headers.get('content-type')?.split(';')[0]?.trim()
}

/** A query added to a path that may have one. */
export function withQuery(path: string, query: Readonly<Record<string, string | number | undefined>>): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  )
  if (parameters.length === 0) return path
  return `${path}${path.includes('?') ? '&' : '?'}${parameters.join('&')}`
}

export function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` }
}

function sendBody(request: ClientRequest, { method = 'GET', body, isChunked = false }: Ask): void {
  if (!isChunked && method !== 'GET')
    request.setHeader('Content-Length', body === undefined ? 0 : Buffer.byteLength(body))
  if (isChunked) request.setHeader('Transfer-Encoding', 'chunked')
  request.end(body)
}
