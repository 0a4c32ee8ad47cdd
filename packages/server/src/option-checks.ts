import { normalizeOrigin } from './auth/access.ts'
import { createKeyCheck } from './auth/credentials.ts'
import { type ClientMessagePolicy, nobody } from './channel/client-message.ts'
import type { NodesOptions, ServerChannelOptions } from './options.ts'
import type { KnownNodes } from './transports/nodes.ts'

const API_KEY_LENGTH_MIN = 16
const NODE_SECRET_LENGTH_MIN = 32
const NODES_MAX = 1000

/** Whether a token may post; undefined where nobody may. @throws TypeError where a key is too short to be one */
export function parseApiKeys(
  keys: readonly string[],
  development: boolean,
): ((token: string | undefined) => boolean) | undefined {
  for (const key of keys) {
    if (key.length < API_KEY_LENGTH_MIN) {
      throw new TypeError(
        `A key in 'apiKeys' has fewer than ${API_KEY_LENGTH_MIN} characters; make one with: openssl rand -hex 24`,
      )
    }
  }
  if (keys.length > 0) return createKeyCheck(keys)
  return development ? () => true : undefined
}

/** Whether pages of an origin may use the server; undefined: none but its own. @throws TypeError */
export function parseOrigins(
  origins: ServerChannelOptions['allowedOrigins'] = [],
): ((origin: string) => boolean) | undefined {
  // A page without an origin of its own says "null": whoever allowed that would allow any page there is.
  if (typeof origins === 'function') return (origin) => origin !== 'null' && origins(origin)
  for (const text of origins) {
    if (normalizeOrigin(text) === text) continue
    throw new TypeError(
      `'${text}' in 'allowedOrigins' is not an origin as browsers write it, such as 'https://app.example.com'.`,
    )
  }
  const allowed = new Set(origins)
  return allowed.size > 0 ? (origin) => allowed.has(origin) : undefined
}

/** Whom messages of clients are for; nobody where nothing is given. @throws TypeError */
export function parsePolicy(policy: ServerChannelOptions['clientMessagePolicy'] = nobody): ClientMessagePolicy {
  if (typeof policy === 'function') return policy
  throw new TypeError(`'clientMessagePolicy' needs to be a function such as 'ownConnections', not a ${typeof policy}.`)
}

/** @throws TypeError where it is none of the levels that can be chosen */
export function parseDurability(durability: ServerChannelOptions['durability']): 'logged' | 'synced' | undefined {
  if (durability === undefined || durability === 'logged' || durability === 'synced') return durability
  throw new TypeError(`'durability' is 'logged' or 'synced'; it is '${String(durability)}'.`)
}

/** The path as requests are compared with it: in lower case, as .NET matches paths in any. @throws TypeError */
export function parsePath(option: string, path: string): string {
  if (/^\/[\w\-.~/]*[\w\-.~]$/.test(path)) return path.toLowerCase()
  throw new TypeError(`'${option}' needs to begin with a slash and end without one; it is '${path}'.`)
}

/** Which nodes there are. @throws TypeError where the secret is too short, a name or an address is none */
export function parseNodes({ self, secret, url, urls = {} }: NodesOptions): KnownNodes {
  if (typeof secret !== 'string' || secret.length < NODE_SECRET_LENGTH_MIN) {
    throw new TypeError(
      `The secret in 'nodes' has fewer than ${NODE_SECRET_LENGTH_MIN} characters; make one with: openssl rand -hex 32`,
    )
  }
  const entries = Object.entries(urls)
  if (entries.length > NODES_MAX) throw new TypeError(`'nodes' has more than ${NODES_MAX} nodes.`)
  const known = new Map(entries.map(([name, text]) => [name, parseNodeUrl(name, text)]))
  if (url !== undefined) known.set(self, parseNodeUrl(self, url))
  if (!known.has(self)) {
    throw new TypeError(
      `'nodes' has no address for '${self}', which this node is; it has: ${[...known.keys()].join(', ')}. Or give its 'url'.`,
    )
  }
  return { self, secret, urls: known, isAnnounced: url !== undefined }
}

/** @throws TypeError */
export function parseNodeUrl(name: string, text: string): URL {
  if (!/^[\w-]{1,32}$/.test(name)) {
    throw new TypeError(`The name of a node is 1 to 32 letters, digits, '-' and '_'; '${name}' is none.`)
  }
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const isAddress = url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
  if (isAddress) return url
  throw new TypeError(
    `The address of the node '${name}' needs to be like 'http://10.0.0.1:8787', without a path; it is '${text}'.`,
  )
}
