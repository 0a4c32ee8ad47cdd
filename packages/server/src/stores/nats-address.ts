import { type EngineHost, parseEngineAddress, parseWholeNumber } from './engine-address.ts'

/** What the address of a NATS store says. */
export interface NatsAddress {
  readonly hosts: readonly EngineHost[]
  readonly isEncrypted: boolean
  readonly user: string | undefined
  readonly password: string | undefined
  readonly token: string | undefined
  /** Names stream and subjects: in hexadecimal, which no wildcard, separator or file system changes the meaning of. */
  readonly stream: string
  readonly logSubject: string
  readonly signalSubject: string
  /** Of a stream that is not there yet. */
  readonly replicas: number
  /** Of a stream that is not there yet. */
  readonly storage: 'file' | 'memory'
  /** Whether the servers sync each write: their configuration has `sync_interval: always`, which can't be asked for. */
  readonly isSynced: boolean
}

const EXPECTED = 'It has to look like nats://user:password@host:4222?channel=name.'
const RULES = {
  engine: 'NATS',
  expected: EXPECTED,
  parameters: ['channel', 'replicas', 'storage', 'sync', 'token'],
  defaultPort: 4222,
}
const CHANNEL_BYTES_MAX = 100
const REPLICAS_MAX = 5

/**
 * Reads `nats://user:password@host:4222,host:4222?channel=name&replicas=3`, or `tls://…`.
 *
 * @throws TypeError that says what is wrong, without the password
 */
export function parseNatsAddress(address: string): NatsAddress {
  const { scheme, user, password, hosts, path, parameters } = parseEngineAddress(address, RULES)
  if (path.length > 0) throw new TypeError(`The address of the NATS store has a path. ${EXPECTED}`)
  const channel = Buffer.from(parameters.get('channel') ?? 'main')
  if (channel.length === 0 || channel.length > CHANNEL_BYTES_MAX) {
    throw new TypeError(`The channel in the address of the NATS store has to have 1 to ${CHANNEL_BYTES_MAX} bytes.`)
  }
  const storage = parameters.get('storage') ?? 'file'
  if (storage !== 'file' && storage !== 'memory') {
    throw new TypeError(`The storage in the address of the NATS store is 'file' or 'memory', not '${storage}'.`)
  }
  const sync = parameters.get('sync')
  if (sync !== null && sync !== 'always') {
    throw new TypeError(`The sync in the address of the NATS store is 'always' or left out, not '${sync}'.`)
  }
  const name = channel.toString('hex')
  return {
    hosts,
    isEncrypted: scheme === 'tls',
    user,
    password,
    token: parameters.get('token') ?? undefined,
    stream: `SERVERCHANNEL_${name}`,
    logSubject: `serverchannel.${name}.log`,
    signalSubject: `serverchannel.${name}.signals`,
    replicas: parseWholeNumber(RULES, 'replicas', parameters.get('replicas') ?? '1', 1, REPLICAS_MAX),
    storage,
    isSynced: sync === 'always',
  }
}
