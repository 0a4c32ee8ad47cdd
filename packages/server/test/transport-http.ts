import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'

export const RECORD_END = '\x1e'
export const HANDSHAKE = `{"protocol":"json","version":1}${RECORD_END}`

export interface AskOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Whether the body is still to come, in chunks. */
  readonly isOpen?: boolean
}

export interface Answer {
  readonly status: number
  readonly reason: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** A request whose answer may be long in coming. */
export interface Question {
  readonly request: ClientRequest
  readonly answer: Promise<Answer>
  readonly isAnswered: () => boolean
}

/** Sends a request on a TCP connection of its own. */
export function startAsking(url: string, options: AskOptions = {}): Question {
  const request = open(url, options)
  let isAnswered = false
  const answer = (async () => {
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    isAnswered = true
    const parts: Buffer[] = []
    for await (const part of response) parts.push(part as Buffer)
    return {
      status: response.statusCode ?? 0,
      reason: response.statusMessage ?? '',
      headers: response.headers,
      text: Buffer.concat(parts).toString(),
    }
  })()
  // Whoever breaks the request off need not wait for the answer.
  answer.catch(() => {})
  return { request, answer, isAnswered: () => isAnswered }
}

export function ask(url: string, options: AskOptions = {}): Promise<Answer> {
  return startAsking(url, options).answer
}

export interface Negotiated {
  readonly connectionId: string
  readonly connectionToken: string
}

export async function negotiate(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Negotiated> {
  const { text } = await ask(`${url}/negotiate?negotiateVersion=1`, { method: 'POST', headers })
  return JSON.parse(text) as Negotiated
}

/** The hub's address for a new connection. */
export async function negotiateUrl(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const { connectionToken } = await negotiate(url, headers)
  return `${url}?id=${connectionToken}`
}

/** What goes to the server outside of WebSockets. */
export function post(url: string, body: string | Buffer, headers: Readonly<Record<string, string>> = {}): Question {
  return startAsking(url, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'text/plain;charset=UTF-8', ...headers },
  })
}

export interface Stream {
  readonly request: ClientRequest
  readonly response: IncomingMessage
  /** All that has come of it. */
  text(): string
  isEnded(): boolean
}

/** Opens an endless response, as `EventSource` does. */
export async function openStream(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Stream> {
  const request = open(url, { headers: { Accept: 'text/event-stream', ...headers } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const parts: string[] = []
  let isEnded = false
  response.setEncoding('utf8')
  response.on('data', (part: string) => parts.push(part))
  response.on('error', () => {})
  response.on('close', () => {
    isEnded = true
  })
  return { request, response, text: () => parts.join(''), isEnded: () => isEnded }
}

function open(url: string, { method = 'GET', headers = {}, body, isOpen = false }: AskOptions): ClientRequest {
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }
  const request = httpRequest(url, { method, agent: false, headers: { ...length, ...headers } })
  request.on('error', () => {})
  if (isOpen) request.flushHeaders()
  else request.end(body)
  return request
}
