/** What the address of a Redis store says. */
export interface RedisAddress {
  readonly kind: 'standalone' | 'sentinel' | 'cluster'
  /** Of the server, of the sentinels, or of some of the cluster's nodes. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly isEncrypted: boolean
  readonly user: string | undefined
  readonly password: string | undefined
  /** What Sentinel calls the servers. */
  readonly masterName: string | undefined
  readonly sentinelPassword: string | undefined
  readonly database: number
  readonly channel: string
  /** Replicas that have to have an entry before its post is acknowledged as `replicated`; 0: not asked for. */
  readonly replicas: number
  readonly replicasTimeoutMs: number
}

const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?([^/?]+)(\/[^?]*)?(?:\?(.*))?$/
const PARAMETERS = new Set(['channel', 'replicas', 'replicasTimeoutMs', 'sentinelPassword'])
const REPLICAS_MAX = 100
const REPLICAS_TIMEOUT_MS_MAX = 2000
const DATABASE_MAX = 10_000

/**
 * Reads `redis://user:password@host:6379/0?channel=name`, `rediss://…` (TLS), `redis+sentinel://host:26379,host:26379/master/0`
 * and `redis+cluster://host:6379,host:6379`.
 *
 * @throws TypeError that says what is wrong, without the password
 */
export function parseRedisAddress(address: string): RedisAddress {
  const match = FORM.exec(address)
  if (!match) throw new TypeError(`The address of the Redis store is none. ${EXPECTED}`)
  const [, scheme, mode, user, password, hosts = '', path = '', query = ''] = match
  const kind = mode === 'sentinel' || mode === 'cluster' ? mode : 'standalone'
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (!PARAMETERS.has(name)) {
      throw new TypeError(`The Redis store has no parameter '${name}'; there are: ${[...PARAMETERS].join(', ')}.`)
    }
  }
  const parts = path.split('/').filter((part) => part !== '')
  const masterName = kind === 'sentinel' ? parts.shift() : undefined
  if (kind === 'sentinel' && masterName === undefined) {
    throw new TypeError(`The address of the Redis store names no master. ${EXPECTED}`)
  }
  if (parts.length > 1) throw new TypeError(`The address of the Redis store has too long a path. ${EXPECTED}`)
  const database = parts[0] === undefined ? 0 : wholeNumber('database', parts[0], 0, DATABASE_MAX)
  if (kind === 'cluster' && database !== 0) throw new TypeError('A Redis Cluster has database 0 only.')
  const defaultPort = kind === 'sentinel' ? 26_379 : 6379
  const list = hosts.split(',').map((text) => parseHost(text, defaultPort))
  if (kind === 'standalone' && list.length > 1) {
    throw new TypeError(
      'The address of the Redis store has several hosts: begin it with redis+sentinel: or redis+cluster:',
    )
  }
  return {
    kind,
    hosts: list,
    isEncrypted: scheme === 'rediss',
    user: user ? decode(user) : undefined,
    password: password ? decode(password) : undefined,
    masterName: masterName === undefined ? undefined : decode(masterName),
    sentinelPassword: parameters.get('sentinelPassword') ?? undefined,
    database,
    channel: parameters.get('channel') ?? 'main',
    replicas: wholeNumber('replicas', parameters.get('replicas') ?? '0', 0, REPLICAS_MAX),
    replicasTimeoutMs: wholeNumber(
      'replicasTimeoutMs',
      parameters.get('replicasTimeoutMs') ?? '1000',
      1,
      REPLICAS_TIMEOUT_MS_MAX,
    ),
  }
}

const EXPECTED =
  'It has to look like redis://user:password@host:6379/0?channel=name, or redis+sentinel://host:26379,host:26379/master.'

function parseHost(text: string, defaultPort: number): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined) throw new TypeError(`'${text}' in the address of the Redis store is no host. ${EXPECTED}`)
  return { host, port: match?.[3] === undefined ? defaultPort : wholeNumber('port', match[3], 1, 65_535) }
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new TypeError(
    `The ${name} in the address of the Redis store has to be a number from ${min} to ${max}: '${text}'.`,
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new TypeError('The address of the Redis store has a % that encodes nothing; a % itself is %25.', { cause })
  }
}

/**
 * Where a channel's things are: all under one hash tag, so that a cluster keeps them on one node. The name is encoded, so
 * that no two channels' keys meet whatever they are called.
 */
export class RedisKeys {
  readonly #prefix: string
  readonly meta: string
  readonly ids: string
  readonly signals: string

  constructor(channel: string) {
    this.#prefix = `serverchannel:{${Buffer.from(channel).toString('base64url')}}`
    this.meta = `${this.#prefix}:meta`
    this.ids = `${this.#prefix}:ids`
    this.signals = `${this.#prefix}:signals`
  }

  /** The stream of one life of the log: who reads one never sees an entry of another. */
  log(epoch: string): string {
    return `${this.#prefix}:log:${epoch}`
  }

  /** What a node appended last. */
  node(id: string): string {
    return `${this.#prefix}:node:${id}`
  }
}
