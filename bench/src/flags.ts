import { parseArgs } from 'node:util'

/** What of a table the command line can name. */
export interface KnownTable {
  readonly name: string
  readonly contenders: readonly { readonly name: string }[]
  readonly sizes: readonly number[]
}

export interface Flags {
  tables: readonly string[]
  /** Undefined: each table's own. */
  connections: readonly number[] | undefined
  /** Undefined: all. */
  servers: readonly string[] | undefined
  rounds: number
  isQuick: boolean
  isJson: boolean
  isHelp: boolean
  comparesDrivers: boolean
  name: string | undefined
  /** Names of the results to draw the chart from, instead of a run. */
  chart: readonly string[] | undefined
}

/** What is wrong with the command line or the machine, for people: shown without a stack. */
export class UsageError extends Error {}

const CONNECTIONS_MAX = 100_000
const ROUNDS_MAX = 100

export function usage(tables: readonly KnownTable[]): string {
  const servers = tables.map(({ name, contenders }) => {
    return `\n                             ${name}: ${contenders.map((contender) => contender.name).join(', ')}`
  })
  return `npm run bench -- [flags]

  --table a,b                which tables: ${tables.map(({ name }) => name).join(', ')} (all)
  --connections 1000,10000   how many connections, a section for each number
                             (${tables.map(({ name, sizes }) => `${name}: ${sizes.join(',')}`).join('; ')})
  --servers a,b              which servers (all):${servers.join('')}
  --quick                    one short round, without nats, nchan and bun: for a first look only
  --rounds N                 rounds to take the median of (3)
  --name NAME                name of the files in bench/results (the date)
  --json                     print JSON instead of the Markdown table
  --chart a,b                draw docs/images/deliveries.svg from the results of these names, and measure nothing
  --compare-drivers          hold the load driver against a second, independent one, instead of the tables
  --help                     this text`
}

export function readFlags(words: readonly string[], known: readonly KnownTable[]): Flags {
  const values = parse(words)
  const tableNames = known.map(({ name }) => name)
  const serverNames = known.flatMap(({ contenders }) => contenders.map(({ name }) => name))
  const isQuick = values.quick ?? false
  return {
    tables: names('--table', values.table, tableNames) ?? tableNames,
    connections: values.connections?.split(',').map((text) => count('--connections', text, CONNECTIONS_MAX)),
    servers: names('--servers', values.servers, serverNames),
    rounds: values.rounds === undefined ? (isQuick ? 1 : 3) : count('--rounds', values.rounds, ROUNDS_MAX),
    isQuick,
    isJson: values.json ?? false,
    isHelp: values.help ?? false,
    comparesDrivers: values['compare-drivers'] ?? false,
    name: values.name === undefined ? undefined : fileName('--name', values.name),
    chart: values.chart?.split(',').map((name) => fileName('--chart', name)),
  }
}

interface FlagTexts {
  table?: string
  connections?: string
  servers?: string
  rounds?: string
  name?: string
  chart?: string
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
        table: { type: 'string' },
        connections: { type: 'string' },
        servers: { type: 'string' },
        rounds: { type: 'string' },
        name: { type: 'string' },
        chart: { type: 'string' },
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

function names(flag: string, text: string | undefined, known: readonly string[]): readonly string[] | undefined {
  const asked = text?.split(',')
  const stranger = asked?.find((name) => !known.includes(name))
  if (stranger === undefined) return asked
  throw new UsageError(`${flag}: there is no "${stranger}". There are: ${known.join(', ')}.`)
}

function fileName(flag: string, text: string): string {
  if (/^[\w.-]+$/.test(text)) return text
  throw new UsageError(`${flag}: "${text}" is no file name; letters, digits, "-", "_" and "." are.`)
}

function count(flag: string, text: string, most: number): number {
  const number = Number(text)
  if (Number.isInteger(number) && number >= 1 && number <= most) return number
  throw new UsageError(`${flag}: "${text}" is not a whole number from 1 to ${most}.`)
}
