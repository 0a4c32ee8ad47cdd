import { isJsonTooDeep } from '@serverchannel/protocol'
import { type Audience, parseAudience } from '../channel/audience.ts'
import { ChannelError, type ErrorCode } from '../channel/channel-error.ts'
import type { Draft } from '../channel/entry.ts'
import { type IntakeLimits, requireInterval } from '../channel/intake.ts'

/**
 * Checks a draft that stood in a table, where somebody may have put anything: whoever reads the log later trusts what is
 * in it.
 *
 * @throws ChannelError that says why this server never takes it
 */
export function checkStoredDraft(draft: Draft, limits: IntakeLimits): void {
  const { nameLengthMax } = limits
  requireText('id_invalid', 'id', draft.id, nameLengthMax)
  requireText('sender_invalid', 'sender', draft.sender, nameLengthMax)
  for (const name of ['bodyTypeName', 'channelType', 'key'] as const) {
    if (draft[name] !== undefined) requireText('message_invalid', name, draft[name], nameLengthMax)
  }
  if (draft.intervalMs !== undefined) requireInterval(draft.intervalMs, draft.key)
  requireTime('message_invalid', 'postedAt', draft.postedAt)
  if (draft.expiresAt !== undefined) requireTime('ttl_invalid', 'expiresAt', draft.expiresAt)
  // What clients send never comes by a transaction.
  if (draft.sentBy !== undefined) {
    throw new ChannelError('message_invalid', "'sentBy' is not for posters: only the server says which client it was.")
  }
  checkAudience(draft.audience, limits)
  checkBody(draft.body, limits)
}

function checkAudience(audience: Audience, limits: IntakeLimits): void {
  // Counted in characters below.
  parseAudience(audience, { ...limits, nameLengthMax: 2 * limits.nameLengthMax })
  for (const list of ['users', 'groups', 'connections', 'except'] as const) {
    const ids: unknown = audience[list]
    if (ids === undefined) continue
    if (!Array.isArray(ids)) throw new ChannelError('audience_invalid', `'${list}' is not a list of strings.`)
    for (const id of ids) requireText('audience_invalid', `an id in '${list}'`, id, limits.nameLengthMax)
  }
}

function checkBody(body: string, { postedBodyBytesMax, depthMax }: IntakeLimits): void {
  const bytes = Buffer.byteLength(body)
  if (bytes > postedBodyBytesMax) {
    const message = `The body has ${bytes} bytes as JSON, more than the ${postedBodyBytesMax} that 'postedBodyBytesMax' allows.`
    throw new ChannelError('body_too_large', message)
  }
  if (isJsonTooDeep(body, depthMax)) {
    throw new ChannelError('body_too_deep', `The body nests deeper than ${depthMax} levels.`)
  }
  try {
    JSON.parse(body)
  } catch (cause) {
    throw new ChannelError('body_not_json', `The body is not JSON: ${(cause as Error).message}`, { cause })
  }
}

/** In characters, as SQL counts them: of UTF-16 units one has up to two. */
function requireText(code: ErrorCode, what: string, value: unknown, max: number): void {
  if (typeof value === 'string' && value.length > 0 && [...value].length <= max) return
  throw new ChannelError(code, `'${what}' needs to be a string of 1 to ${max} characters.`)
}

function requireTime(code: ErrorCode, what: string, value: unknown): void {
  if (typeof value === 'number' && Number.isFinite(value)) return
  throw new ChannelError(code, `'${what}' needs to be a number of milliseconds since 1970.`)
}
