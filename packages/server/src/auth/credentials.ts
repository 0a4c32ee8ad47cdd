import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const TOKEN_LENGTH_MAX = 8192

/**
 * The token that a request brings: `Authorization: Bearer`, else `access_token` in the query, which is how browsers
 * send it with a WebSocket (SIGNALR 2.2 H5). Undefined where there is none, or one that is no token by its size.
 */
export function bearerToken(request: IncomingMessage, query: URLSearchParams): string | undefined {
  const header = request.headers.authorization
  const token = header?.slice(0, 7).toLowerCase() === 'bearer ' ? header.slice(7).trim() : query.get('access_token')
  return token && token.length <= TOKEN_LENGTH_MAX ? token : undefined
}

/** Compares a given key with the known ones in a time that tells nothing of them. */
export function createKeyCheck(keys: readonly string[]): (given: string | undefined) => boolean {
  const known = keys.map(digest)
  return (given) => {
    if (given === undefined) return false
    const wanted = digest(given)
    // All are compared, so that the time doesn't tell which one matched.
    return known.filter((key) => timingSafeEqual(key, wanted)).length > 0
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
