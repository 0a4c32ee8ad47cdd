import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessOptions } from '../auth/access.ts'
import { send } from './answer.ts'

const PREFLIGHT_AGE_S = 600

/**
 * Lets pages of the allowed origins read the answer, and answers what browsers ask beforehand. To be called after the
 * origin was found to be allowed. Source: Fetch, "CORS protocol"; SIGNALR 2.2 H6.
 *
 * @returns false where the request was such a question and is answered
 */
export function allowOrigin(request: IncomingMessage, response: ServerResponse, access: AccessOptions): boolean {
  const { origin } = request.headers
  if (access.allowsOrigin) response.setHeader('Vary', 'Origin')
  if (origin !== undefined && access.allowsOrigin?.(origin)) {
    response.setHeader('Access-Control-Allow-Origin', origin)
    response.setHeader('Access-Control-Allow-Credentials', 'true')
  }
  if (request.method !== 'OPTIONS') return true
  const asked = request.headers['access-control-request-headers']
  send(response, 204, '', {
    Allow: 'GET, POST, DELETE, OPTIONS',
    'Access-Control-Allow-Methods': 'GET, POST, DELETE',
    'Access-Control-Max-Age': String(PREFLIGHT_AGE_S),
    ...(asked === undefined ? {} : { 'Access-Control-Allow-Headers': asked }),
  })
  return false
}
