import { parseArgs } from 'node:util'

export interface Flags {
  connections: readonly number[]
  servers: readonly string[]
  rounds: number
  isQuick: boolean
  isJson: boolean
  isHelp: boolean
  comparesDrivers: boolean
  name: string | undefined
}

/** What is wrong with the command line or the machine, for people: shown without a stack. */
export class UsageError extends Error {}

const CONNECTIONS_MAX = 100_000
const ROUNDS_MAX = 100

export function usage(servers: readonly string[]): string {
  return `npm run bench -- [flags]

  --connections 1000,10000   how many WebSocket connections, one table for each number
  --servers a,b              which servers: ${servers.join(', ')} (all)
  --quick                    one short round: under two minutes, for a first look only
  --rounds N                 rounds to take the median of (3)
  --name NAME                name of the files in bench/results (the date)
  --json                     print JSON instead of the Markdown table
  --compare-drivers          hold the load driver against a second, independent one, instead of the table
  --help                     this text`
}

export function readFlags(words: readonly string[], knownServers: readonly string[]): Flags {
  const values = parse(words)
  const servers = values.servers?.split(',') ?? knownServers
  for (const server of servers) {
    if (knownServers.includes(server)) continue
    throw new UsageError(`--servers: there is no "${server}". Servers: ${knownServers.join(', ')}.`)
  }
  const isQuick = values.quick ?? false
  if (values.name !== undefined && !/^[\w.-]+$/.test(values.name)) {
    throw new UsageError(`--name: "${values.name}" is no file name; letters, digits, "-", "_" and "." are.`)
  }
  return {
    connections: (values.connections ?? '1000,10000')
      .split(',')
      .map((text) => count('--connections', text, CONNECTIONS_MAX)),
    servers: [...new Set(servers)],
    rounds: values.rounds === undefined ? (isQuick ? 1 : 3) : count('--rounds', values.rounds, ROUNDS_MAX),
    isQuick,
    isJson: values.json ?? false,
    isHelp: values.help ?? false,
    comparesDrivers: values['compare-drivers'] ?? false,
    name: values.name,
  }
}

interface FlagTexts {
  connections?: string
  servers?: string
  rounds?: string
  name?: string
  quick?: boolean
  json?: boolean
  help?: boolean
  'compare-drivers'?: boolean
}

function parse(words: readonly string[]): FlagTexts {
  try {
    return parseArgs({
      args: [...words],
      options: {
        connections: { type: 'string' },
        servers: { type: 'string' },
        rounds: { type: 'string' },
        name: { type: 'string' },
        quick: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        'compare-drivers': { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}. See --help.`, { cause: error })
  }
}

function count(flag: string, text: string, most: number): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= 1 && number <= most) return number
  throw new UsageError(`${flag}: "${text}" is not a whole number from 1 to ${most}.`)
}
