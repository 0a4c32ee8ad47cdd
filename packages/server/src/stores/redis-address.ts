import { type EngineHost, parseEngineAddress, parseWholeNumber } from './engine-address.ts'

/** What the address of a Redis store says. */
export interface RedisAddress {
  readonly kind: 'standalone' | 'sentinel' | 'cluster'
  /** Of the server, of the sentinels, or of some of the cluster's nodes. */
  readonly hosts: readonly EngineHost[]
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

const PARAMETERS = ['channel', 'replicas', 'replicasTimeoutMs', 'sentinelPassword']
const REPLICAS_MAX = 100
const REPLICAS_TIMEOUT_MS_MAX = 2000
const DATABASE_MAX = 10_000
const EXPECTED =
  'It has to look like redis://user:password@host:6379/0?channel=name, or redis+sentinel://host:26379,host:26379/master.'

/**
 * Reads `redis://user:password@host:6379/0?channel=name`, `rediss://…` (TLS), `redis+sentinel://host:26379,host:26379/master/0`
 * and `redis+cluster://host:6379,host:6379`.
 *
 * @throws TypeError that says what is wrong, without the password
 */
export function parseRedisAddress(address: string): RedisAddress {
  const kind = /^rediss?\+sentinel:/.test(address)
    ? 'sentinel'
    : /^rediss?\+cluster:/.test(address)
      ? 'cluster'
      : 'standalone'
  const rules = {
    engine: 'Redis',
    expected: EXPECTED,
    parameters: PARAMETERS,
    defaultPort: kind === 'sentinel' ? 26_379 : 6379,
  }
  const { scheme, user, password, hosts, path, parameters } = parseEngineAddress(address, rules)
  const number = (name: string, text: string, min: number, max: number): number =>
    parseWholeNumber(rules, name, text, min, max)
  const masterName = kind === 'sentinel' ? path.shift() : undefined
  if (kind === 'sentinel' && masterName === undefined) {
    throw new TypeError(`The address of the Redis store names no master. ${EXPECTED}`)
  }
  if (path.length > 1) throw new TypeError(`The address of the Redis store has too long a path. ${EXPECTED}`)
  const database = number('database', path[0] ?? '0', 0, DATABASE_MAX)
  const replicas = number('replicas', parameters.get('replicas') ?? '0', 0, REPLICAS_MAX)
  if (kind === 'cluster' && database !== 0) throw new TypeError('A Redis Cluster has database 0 only.')
  if (kind === 'cluster' && replicas !== 0) {
    throw new TypeError("The Redis store can't wait for replicas in a cluster: set min-replicas-to-write there.")
  }
  if (kind === 'standalone' && hosts.length > 1) {
    throw new TypeError(
      'The address of the Redis store has several hosts: begin it with redis+sentinel: or redis+cluster:',
    )
  }
  return {
    kind,
    hosts,
    isEncrypted: scheme.startsWith('rediss'),
    user,
    password,
    masterName,
    sentinelPassword: parameters.get('sentinelPassword') ?? undefined,
    database,
    channel: parameters.get('channel') ?? 'main',
    replicas,
    replicasTimeoutMs: number(
      'replicasTimeoutMs',
      parameters.get('replicasTimeoutMs') ?? '1000',
      1,
      REPLICAS_TIMEOUT_MS_MAX,
    ),
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
