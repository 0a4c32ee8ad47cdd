import type { IncomingMessage, ServerResponse } from 'node:http'
import { ChannelError, errorKinds } from '../channel/channel-error.ts'

/** The body of an error's answer. Source: RFC 9457. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** The error's code, as in `docs/errors.md`. */
  readonly code: string
  /** Whether the same request can succeed later. */
  readonly retry: boolean
}

export function toProblem(error: ChannelError): Problem {
  const { title, status, retry } = errorKinds[error.code]
  return {
    type: `urn:serverchannel:error:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    retry,
  }
}

/** Answers a request with the error. Where part of the request was not read the connection ends with the answer. */
export function sendProblem(response: ServerResponse, error: ChannelError, headers: Record<string, string> = {}): void {
  sendJson(response, error.status || 500, toProblem(error), { ...headers, 'Content-Type': 'application/problem+json' })
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers?: Record<string, string>,
): void {
  send(response, status, JSON.stringify(value), headers ? { ...JSON_HEADERS, ...headers } : JSON_HEADERS)
}

const JSON_HEADERS = { 'Content-Type': 'application/json' }

/** Answers with a whole body. Nothing that the channel says over HTTP is to be kept by caches. */
export function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  headers: Record<string, string>,
): void {
  if (response.headersSent || response.destroyed) return
  // One object, and its members one by one: spreads of several cost as much as the rest of an answer.
  const all: Record<string, string | number> = {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
  }
  // An answer without content has no length (RFC 9110, 8.6).
  if (status !== 204) all['Content-Length'] = Buffer.byteLength(body)
  if (hasUnreadBody(response.req)) all.Connection = 'close'
  for (const name in headers) all[name] = headers[name] ?? ''
  response.writeHead(status, all)
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

/**
 * For answers that stay open: of one that waits behind another on its connection Node never says that the client is gone,
 * so it would be kept for ever.
 *
 * @throws ChannelError `request_pipelined`
 */
export function requireFirstInLine(response: ServerResponse): void {
  if (response.socket) return
  throw new ChannelError(
    'request_pipelined',
    'The answer to the request before this one, on its connection, is not over.',
  )
}

/** What the world did wrong as it is; anything else as `internal`, without its particulars. */
export function toChannelError(error: unknown): ChannelError {
  if (error instanceof ChannelError) return error
  return new ChannelError('internal', 'Something went wrong inside the server; its log says what.', { cause: error })
}

function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
}
