export interface EngineHost {
  readonly host: string
  readonly port: number
}

/** What the addresses of one engine look like. */
export interface AddressRules {
  /** As in `Redis`. */
  readonly engine: string
  /** A sentence with an example, for whoever wrote it otherwise. */
  readonly expected: string
  readonly parameters: readonly string[]
  readonly defaultPort: number
}

export interface EngineAddress {
  /** Without the colon. */
  readonly scheme: string
  readonly user: string | undefined
  readonly password: string | undefined
  readonly hosts: readonly EngineHost[]
  readonly path: string[]
  readonly parameters: URLSearchParams
}

const FORM = /^([a-z+]+):\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?([^/?]+)(\/[^?]*)?(?:\?(.*))?$/

/**
 * Reads `scheme://user:password@host:port,host:port/path?parameter=value`. Several hosts are more than a URL can have.
 *
 * @throws TypeError that says what is wrong, without the password
 */
export function parseEngineAddress(address: string, rules: AddressRules): EngineAddress {
  const match = FORM.exec(address)
  if (!match) throw new TypeError(`The address of the ${rules.engine} store is none. ${rules.expected}`)
  const [, scheme = '', user, password, hosts = '', path = '', query = ''] = match
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (rules.parameters.includes(name)) continue
    const known = rules.parameters.join(', ')
    throw new TypeError(`The ${rules.engine} store has no parameter '${name}'; there are: ${known}.`)
  }
  return {
    scheme,
    user: user ? decode(user, rules) : undefined,
    password: password ? decode(password, rules) : undefined,
    hosts: hosts.split(',').map((text) => parseHost(text, rules)),
    path: path
      .split('/')
      .filter((part) => part !== '')
      .map((part) => decode(part, rules)),
    parameters,
  }
}

/** @throws TypeError where it is none, or out of range */
export function parseWholeNumber(rules: AddressRules, name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  const message = `The ${name} in the address of the ${rules.engine} store has to be a number from ${min} to ${max}: ${shown(text)}.`
  throw new TypeError(message)
}

function parseHost(text: string, rules: AddressRules): EngineHost {
  const match = /^(?:\[([^\]]+)\]|([^:@]+))(?::(\d+))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined) {
    throw new TypeError(`${shown(text)} in the address of the ${rules.engine} store is no host. ${rules.expected}`)
  }
  const port = match?.[3]
  return { host, port: port === undefined ? rules.defaultPort : parseWholeNumber(rules, 'port', port, 1, 65_535) }
}

/** A password with an @, : or / that is not encoded may be anywhere in what is read. */
function shown(text: string): string {
  return /[@:]/.test(text) ? 'what is there' : `'${text}'`
}

function decode(text: string, { engine }: AddressRules): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new TypeError(`The address of the ${engine} store has a % that encodes nothing; a % itself is %25.`, {
      cause,
    })
  }
}
