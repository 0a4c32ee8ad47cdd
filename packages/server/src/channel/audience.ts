import { ChannelError } from './channel-error.ts'

/** Whom a message is for, as data. Either all, or everybody whom one of the lists names; never those in `except`. */
export interface Audience {
  readonly all?: true
  /** User ids, as authentication names them. */
  readonly users?: readonly string[]
  readonly groups?: readonly string[]
  /** Connection ids. */
  readonly connections?: readonly string[]
  /** Connection ids that don't get it. */
  readonly except?: readonly string[]
}

/** An audience as a poster may write it: a lone id stands for a list of one. */
export type AudienceInput =
  | 'all'
  | {
      readonly all?: boolean
      readonly users?: string | Iterable<string>
      readonly groups?: string | Iterable<string>
      readonly connections?: string | Iterable<string>
      readonly except?: string | Iterable<string>
    }

export interface AudienceLimits {
  /** Ids in all lists of one audience together. */
  readonly audienceIdsMax: number
  /** UTF-16 units of one id. */
  readonly nameLengthMax: number
}

const LISTS = ['users', 'groups', 'connections', 'except'] as const
const TO_ALL: Audience = { all: true }

/** Checks what a poster wrote. Ids named twice count once. @throws ChannelError `audience_invalid` */
export function parseAudience(input: AudienceInput | undefined, limits: AudienceLimits): Audience {
  if (input === undefined || input === 'all') return TO_ALL
  if (typeof input !== 'object' || input === null)
    throw invalid("It is 'all' or an object with users, groups or connections.")
  const audience: { -readonly [Key in keyof Audience]: Audience[Key] } = {}
  let count = 0
  for (const list of LISTS) {
    const ids = input[list]
    if (ids === undefined || ids === null) continue
    const unique = parseIds(list, ids, limits)
    count += unique.length
    if (count > limits.audienceIdsMax) throw invalid(`It names more than ${limits.audienceIdsMax} ids; use a group.`)
    if (list !== 'except' || unique.length > 0) audience[list] = unique
  }
  if (input.all === true) return audience.except ? { all: true, except: audience.except } : TO_ALL
  if (!audience.users && !audience.groups && !audience.connections) {
    if (audience.except) return { all: true, except: audience.except }
    throw invalid("It names nobody: give users, groups or connections, or 'all'.")
  }
  return audience
}

/** The keys under which an audience's connections are registered. Injective: no two ids share a key. */
export function audienceKeys(audience: Audience): readonly string[] {
  if (audience.all) return ALL_KEYS
  const keys: string[] = []
  for (const user of audience.users ?? []) keys.push(userKey(user))
  for (const group of audience.groups ?? []) keys.push(groupKey(group))
  for (const connection of audience.connections ?? []) keys.push(connectionKey(connection))
  return keys
}

export const ALL_KEY = 'all'
const ALL_KEYS: readonly string[] = [ALL_KEY]

export function userKey(user: string): string {
  return `user:${user}`
}

export function groupKey(group: string): string {
  return `group:${group}`
}

export function connectionKey(connection: string): string {
  return `connection:${connection}`
}

function parseIds(list: string, ids: unknown, limits: AudienceLimits): string[] {
  const unique = new Set<string>()
  if (typeof ids === 'string') unique.add(ids)
  else if (isIterable(ids)) {
    for (const id of ids) {
      if (typeof id !== 'string') throw invalid(`An id in '${list}' is not a string.`)
      unique.add(id)
      if (unique.size > limits.audienceIdsMax) break
    }
  } else throw invalid(`'${list}' is neither a string nor a list of strings.`)
  for (const id of unique) {
    if (id.length === 0 || id.length > limits.nameLengthMax) {
      throw invalid(`An id in '${list}' has ${id.length} characters; it needs 1 to ${limits.nameLengthMax}.`)
    }
  }
  return [...unique]
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}

function invalid(detail: string): ChannelError {
  return new ChannelError('audience_invalid', `The audience is not one. ${detail}`)
}
