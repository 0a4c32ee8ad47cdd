import { expectEqual, Failure } from './check.ts'
import { type Answer, ask, bearer, withQuery } from './http.ts'
import type { Scene } from './scene.ts'

export interface Negotiation {
  readonly connectionId: string
  /** What requests name the connection by: the token, or the id of one that knows no token. */
  readonly token: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface NegotiateOptions {
  readonly version?: number | undefined
  readonly isStateful?: boolean
  readonly token?: string | undefined
}

/** Negotiates as clients do, and expects it to succeed. */
export async function negotiate(
  scene: Scene,
  hub = '/testhub',
  { version = 1, isStateful = false, token }: NegotiateOptions = {},
): Promise<Negotiation> {
  const query = { negotiateVersion: version, useStatefulReconnect: isStateful ? 'true' : undefined }
  const path = withQuery(
    hub.replace(/\?|$/, (mark) => `/negotiate${mark}`),
    query,
  )
  const answer = await ask(scene, path, { method: 'POST', headers: bearer(token) })
  expectEqual(answer.status, 200, `status of POST ${path}`)
  const body = parseObject(answer)
  const connectionId = body['connectionId']
  if (typeof connectionId !== 'string') throw new Failure('a connectionId', answer.text)
  const given = body['connectionToken']
  return { connectionId, token: typeof given === 'string' ? given : connectionId, body }
}

export function parseObject({ text }: Pick<Answer, 'text'>): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Failure('a JSON object', text)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Failure('a JSON object', text)
  return value as Record<string, unknown>
}

/** A token that the server gives out for the user `testuser`. */
export async function fetchUserToken(scene: Scene): Promise<string> {
  const { status, text } = await ask(scene, '/generateJwtToken')
  expectEqual(status, 200, 'status of GET /generateJwtToken')
  return text.trim()
}
