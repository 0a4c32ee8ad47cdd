import type { Authenticate, Identity } from '../options.ts'

/** Of whom nothing is known: one for all of them. */
export const NOBODY: Identity = Object.freeze({})

/** Development mode: whoever asks is whom he says he is. */
export const nameYourself: Authenticate = (request) => {
  const query = request.url?.split('?')[1]
  const user = query === undefined ? null : new URLSearchParams(query).get('user')
  // None that could be addressed.
  if (user && user.length > NAMED_USER_LENGTH_MAX) return null
  return user ? { user } : NOBODY
}

const NAMED_USER_LENGTH_MAX = 256
