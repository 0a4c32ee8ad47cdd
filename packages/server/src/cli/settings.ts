import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { limits } from '../options.ts'

/** One setting of `serverchannel serve`: a flag, an environment variable and a key of the YAML file by one name. */
export interface Setting {
  /** As in the YAML file: camelCase. */
  readonly name: string
  readonly kind: 'text' | 'number' | 'list'
  readonly default?: string | number
  readonly doc: string
  readonly unit?: string
  readonly min?: number
  readonly max?: number
}

export type SettingValue = string | number | readonly string[]

const own: readonly Setting[] = [
  {
    name: 'port',
    kind: 'number',
    default: 8787,
    min: 0,
    max: 65_535,
    unit: '',
    doc: 'port to listen on; 0: one that is free',
  },
  {
    name: 'host',
    kind: 'text',
    default: '127.0.0.1',
    doc: 'address to listen on; others than this machine need authentication',
  },
  {
    name: 'store',
    kind: 'text',
    default: 'sqlite:./serverchannel.db',
    doc: 'where the log is kept: sqlite:FILE, postgres://…, redis://…, nats://…, memory:',
  },
  {
    name: 'durability',
    kind: 'text',
    doc: 'how safe an acknowledged message is in an SQLite file: logged (its default) or synced',
  },
  {
    name: 'outbox',
    kind: 'text',
    doc: 'database whose transactions post, where the log is kept elsewhere: postgres://user:password@host/database, mysql://…',
  },
  { name: 'path', kind: 'text', default: '/msg', doc: 'path of the hub' },
  {
    name: 'rawPath',
    kind: 'text',
    doc: "path of the channel as plain WebSockets, as Creatio's .NET Framework edition has it; none when not given",
  },
  { name: 'apiPath', kind: 'text', default: '/api/messages', doc: 'path of the web service that posts' },
  { name: 'apiKeys', kind: 'list', doc: 'keys that may post over HTTP, 16 characters or more each' },
  {
    name: 'userTokenSecret',
    kind: 'text',
    doc: 'secret of the user tokens (JWT, HS256) that clients connect with, 32 characters or more',
  },
  { name: 'userTokenAudience', kind: 'text', default: 'serverchannel', doc: "what a user token's 'aud' must be" },
  { name: 'userTokenIssuer', kind: 'text', doc: "what a user token's 'iss' must be; any when not given" },
  { name: 'allowedOrigins', kind: 'list', doc: "origins whose pages may connect besides the server's own" },
  { name: 'nodeName', kind: 'text', doc: "this node's name; of its machine and port when not given" },
  {
    name: 'nodeSecret',
    kind: 'text',
    doc: 'secret that all nodes share, 32 characters or more; with it they find each other through the store',
  },
  {
    name: 'nodeUrl',
    kind: 'text',
    doc: 'where the other nodes reach this one, as http://10.0.0.1:8787; of its host and port when not given',
  },
  {
    name: 'nodeUrls',
    kind: 'list',
    doc: 'where the nodes reach each other, where they do not find each other: a=http://10.0.0.1:8787,b=http://10.0.0.2:8787',
  },
  {
    name: 'logLevel',
    kind: 'text',
    default: 'warn',
    doc: 'trace, debug, info, warn, error or silent; logs go to standard error',
  },
]

/** All settings: those of the command, and every bound of `options.ts`. */
export const settings: readonly Setting[] = [
  ...own,
  ...Object.entries(limits).map(([name, limit]): Setting => ({ name, kind: 'number', ...limit })),
]

/** A setting that can't be used. Its message says where it stands and what it needs to be. */
export class SettingError extends Error {
  override readonly name = 'SettingError'
}

/** Runs what checks settings itself: what it throws for a wrong one is said as such, without a trace. */
export async function asSettings<Result>(run: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError)
      throw new SettingError(error.message, { cause: error })
    throw error
  }
}

/** What is not a setting but read by other commands and processes. */
const OTHER_VARIABLES = new Set([
  'SERVERCHANNEL_URL',
  'SERVERCHANNEL_API_KEY',
  'SERVERCHANNEL_CONFIG',
  'SERVERCHANNEL_TOKEN',
])

/**
 * The settings' values: flags before environment before file before defaults.
 *
 * @throws SettingError
 */
export function readSettings(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
  file: string | undefined,
): Readonly<Record<string, SettingValue>> {
  const fromFile = file === undefined ? {} : readFile(file)
  requireKnown(environment, fromFile, file)
  const values: Record<string, SettingValue> = {}
  for (const setting of settings) {
    const variable = variableName(setting.name)
    const sources: readonly [unknown, string][] = [
      [flags[setting.name], flagName(setting.name)],
      [environment[variable], variable],
      [fromFile[setting.name], `'${setting.name}' in ${file}`],
      [setting.default, 'its default'],
    ]
    for (const [raw, where] of sources) {
      if (raw === undefined || raw === null || raw === '') continue
      values[setting.name] = convert(setting, raw, where)
      break
    }
  }
  return values
}

/** `handshakeTimeoutMs` → `--handshake-timeout-ms` */
export function flagName(name: string): string {
  return `--${words(name).join('-')}`
}

/** `handshakeTimeoutMs` → `SERVERCHANNEL_HANDSHAKE_TIMEOUT_MS` */
export function variableName(name: string): string {
  return `SERVERCHANNEL_${words(name).join('_').toUpperCase()}`
}

function words(name: string): string[] {
  return name.split(/(?=[A-Z])/).map((word) => word.toLowerCase())
}

function readFile(file: string): Record<string, unknown> {
  let value: unknown
  try {
    value = parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new SettingError(
      `The settings file ${file} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    )
  }
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw new SettingError(`${file} is not a YAML file of 'name: value' lines.`)
  return value as Record<string, unknown>
}

function requireKnown(
  environment: Readonly<Record<string, string | undefined>>,
  fromFile: Readonly<Record<string, unknown>>,
  file: string | undefined,
): void {
  const names = new Set(settings.map(({ name }) => name))
  for (const name of Object.keys(fromFile)) {
    if (!names.has(name))
      throw new SettingError(`There is no setting '${name}' (in ${file}). See: serverchannel serve --help`)
  }
  const variables = new Set(settings.map(({ name }) => variableName(name)))
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith('SERVERCHANNEL_') || variables.has(variable) || OTHER_VARIABLES.has(variable)) continue
    throw new SettingError(
      `There is no setting for the environment variable ${variable}. See: serverchannel serve --help`,
    )
  }
}

function convert(setting: Setting, raw: unknown, where: string): SettingValue {
  switch (setting.kind) {
    case 'number': {
      const value = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw
      const { min = -Infinity, max = Infinity, unit = '' } = setting
      if (typeof value === 'number' && value >= min && value <= max) return value
      throw new SettingError(
        `${where}: needs to be a number${unit && ` of ${unit}`} from ${min} to ${max}; it is '${String(raw)}'.`,
      )
    }
    case 'list': {
      const list = typeof raw === 'string' ? raw.split(',') : raw
      if (!Array.isArray(list)) throw new SettingError(`${where}: needs to be a list.`)
      return list.map((item) => String(item).trim()).filter((item) => item !== '')
    }
    case 'text':
      if (typeof raw === 'string') return raw
      throw new SettingError(`${where}: needs to be a text; quote it.`)
    default:
      return setting.kind satisfies never
  }
}
