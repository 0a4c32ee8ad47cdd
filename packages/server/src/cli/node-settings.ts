import { hostname, networkInterfaces } from 'node:os'
import type { NodesOptions } from '../options.ts'
import { SettingError } from './settings.ts'

const NAME_LENGTH_MAX = 32

/** The settings of `serve` that say which node it is. */
export interface NodeSettings {
  readonly host: unknown
  readonly port: unknown
  readonly nodeName: unknown
  readonly nodeSecret: unknown
  readonly nodeUrl: unknown
  readonly nodeUrls: unknown
}

/**
 * What the settings say of nodes; undefined where this is the only one. With a secret alone the node finds out where it is
 * reached, and the nodes tell each other through the store.
 *
 * @throws SettingError
 */
export function toNodes({
  host,
  port,
  nodeName,
  nodeSecret,
  nodeUrl,
  nodeUrls,
}: NodeSettings): NodesOptions | undefined {
  if ([nodeName, nodeSecret, nodeUrl, nodeUrls].every((value) => value === undefined)) return undefined
  if (typeof nodeSecret !== 'string') {
    throw new SettingError("Nodes need 'nodeSecret', which all of them share; make one with: openssl rand -hex 32")
  }
  if (Array.isArray(nodeUrls)) {
    if (typeof nodeName !== 'string') throw new SettingError("'nodeUrls' needs 'nodeName': which of them this is.")
    return { self: nodeName, secret: nodeSecret, urls: parseUrls(nodeUrls as readonly string[]) }
  }
  const url = typeof nodeUrl === 'string' ? nodeUrl : detectUrl(String(host), Number(port))
  const self = typeof nodeName === 'string' ? nodeName : nameOf(url)
  return { self, secret: nodeSecret, url }
}

function parseUrls(texts: readonly string[]): Readonly<Record<string, string>> {
  const entries = texts.map((text): [string, string] => {
    const equals = text.indexOf('=')
    if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)]
    throw new SettingError(
      `'nodeUrls' is a list such as a=http://10.0.0.1:8787,b=http://10.0.0.2:8787; '${text}' is no part of one.`,
    )
  })
  return Object.fromEntries(entries)
}

/** Where it listens on all addresses: at the machine's first that others reach. */
function detectUrl(host: string, port: number): string {
  if (port === 0) throw new SettingError("Other nodes can't know a free port: give 'port', or 'nodeUrl'.")
  if (host !== '0.0.0.0' && host !== '::') return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  const found = addresses.find(({ internal, family }) => !internal && family === 'IPv4')
  if (found) return `http://${found.address}:${port}`
  throw new SettingError("This machine has no address that other nodes could reach: give 'nodeUrl'.")
}

/** The end of it, where it is long: containers' names differ there. */
function nameOf(url: string): string {
  const port = URL.canParse(url) ? new URL(url).port : ''
  return `${hostname()}-${port}`.replace(/[^\w-]/g, '-').slice(-NAME_LENGTH_MAX)
}
