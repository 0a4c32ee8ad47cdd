import type { IncomingMessage } from 'node:http'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { Authenticate, Identity } from '../options.ts'
import { bearerToken } from './credentials.ts'

export interface UserTokenOptions {
  /** Shared with whoever signs the tokens; at least 32 bytes. */
  readonly secret: string
  /** What a token's `aud` must be, so that a token made for another service is none here. */
  readonly audience: string
  /** What a token's `iss` must be, where given. */
  readonly issuer?: string
}

const CLOCK_TOLERANCE_S = 5
const GROUPS_MAX = 100

/**
 * Authentication by signed user tokens: JWT, HS256, with `sub` (the user id), `aud`, `exp`, and optionally `groups`,
 * an array of names. Source: RFC 7519, RFC 8725.
 */
export function userTokens(options: UserTokenOptions): Authenticate {
  const key = new TextEncoder().encode(options.secret)
  return async (request: IncomingMessage) => {
    const token = bearerToken(request, new URLSearchParams(request.url?.split('?')[1] ?? ''))
    if (token === undefined) return null
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['HS256'],
        audience: options.audience,
        ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ['sub', 'exp'],
      })
      return toIdentity(payload.sub, payload.exp, payload['groups'])
    } catch (error) {
      if (error instanceof errors.JOSEError) return null
      throw error
    }
  }
}

/** Makes a token that {@link userTokens} accepts. @param ttlS seconds from now */
export function signUserToken(
  options: UserTokenOptions,
  user: string,
  ttlS: number,
  groups: readonly string[] = [],
): Promise<string> {
  const jwt = new SignJWT(groups.length > 0 ? { groups: [...groups] } : {})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setAudience(options.audience)
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1000) + ttlS)
  if (options.issuer !== undefined) jwt.setIssuer(options.issuer)
  return jwt.sign(new TextEncoder().encode(options.secret))
}

function toIdentity(sub: string | undefined, exp: number | undefined, groups: unknown): Identity | null {
  if (!sub || exp === undefined) return null
  const isList =
    Array.isArray(groups) && groups.length <= GROUPS_MAX && groups.every((name) => typeof name === 'string')
  if (groups !== undefined && !isList) return null
  return { user: sub, expiresAt: exp * 1000, ...(isList ? { groups } : {}) }
}
