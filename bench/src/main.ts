import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compareDrivers } from './compare-drivers.ts'
import { compileDriver } from './compiler.ts'
import { type Flags, readFlags, UsageError, usage } from './flags.ts'
import { invocationsTable } from './invocations-table.ts'
import { type Cores, chooseCores, describeMachine, type Machine, openFilesMax } from './machine.ts'
import { messagesTable } from './messages-table.ts'
import { createPlan } from './plan.ts'
import { type Bench, type Runs, runRounds } from './rounds.ts'
import type { Answer, Table } from './table.ts'
import { transportsTable } from './transports-table.ts'

/** What each side needs besides its connections: libraries, the poster, epoll, clients that are on their way. */
const FILES_BESIDES_CONNECTIONS = 400

const tables: readonly Table[] = [messagesTable, transportsTable, invocationsTable]
const resultsFolder = fileURLToPath(new URL('../results', import.meta.url))

// Ends the servers too: each is killed when this process exits.
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

try {
  await main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = 2
}

async function main(): Promise<void> {
  const flags = readFlags(process.argv.slice(2), tables)
  if (flags.isHelp) {
    console.log(usage(tables))
    return
  }
  const asked = tables.filter(({ name }) => flags.tables.includes(name))
  requireOpenFiles(Math.max(...asked.flatMap((table) => sizesOf(table, flags))))
  const bench = {
    driver: compileDriver(),
    cores: chooseCores(),
    plan: createPlan(flags.isQuick, flags.rounds),
    say: (text: string): void => void process.stderr.write(text),
  }
  if (bench.cores.note !== undefined) bench.say(`${bench.cores.note}\n`)
  if (flags.comparesDrivers) console.log(await compareDrivers(bench, sizesOf(messagesTable, flags)))
  else await runTables(bench, asked, flags)
}

function sizesOf(table: Table, flags: Flags): readonly number[] {
  return flags.connections ?? table.sizes
}

interface TableResults extends Pick<Answer, 'rows'> {
  table: string
  runs: readonly Runs[]
}

async function runTables(bench: Bench, asked: readonly Table[], flags: Flags): Promise<void> {
  const machine = describeMachine()
  const date = new Date().toISOString().slice(0, 16)
  const texts: string[] = []
  const results: TableResults[] = []
  for (const table of asked) {
    const contenders = table.contenders.filter(({ name }) => flags.servers?.includes(name) ?? true)
    if (contenders.length === 0) continue
    const runs = await runRounds(bench, table, contenders, sizesOf(table, flags))
    const { markdown, rows } = table.answer(bench.plan, runs)
    texts.push(markdown)
    results.push({ table: table.name, rows, runs })
  }
  if (results.length === 0) throw new UsageError('--servers: none of them is in the tables that are asked for.')
  const when = `${date.replace('T', ' ')} UTC`
  const markdown = [originLine(when, machine, bench.cores), ...texts].join('\n\n')
  const json = JSON.stringify({ date: when, machine, cores: bench.cores, plan: bench.plan, tables: results }, null, 2)
  const name = flags.name ?? `${date.replace('T', '-').replace(':', '')}${flags.isQuick ? '-quick' : ''}`
  mkdirSync(resultsFolder, { recursive: true })
  writeFileSync(join(resultsFolder, `${name}.md`), `${markdown}\n`)
  writeFileSync(join(resultsFolder, `${name}.json`), `${json}\n`)
  bench.say(`\nWritten to bench/results/${name}.md and .json\n\n`)
  console.log(flags.isJson ? json : markdown)
  if (results.some(({ runs }) => runs.some(({ problem }) => problem !== undefined))) process.exitCode = 1
}

/** Above this load something else was running. */
const QUIET_LOAD_MAX = 0.5

/** Where the figures come from. */
function originLine(when: string, machine: Machine, cores: Cores): string {
  const noise =
    machine.loadBefore > QUIET_LOAD_MAX
      ? '\n\n**The machine was busy with something else at the same time**: rates are too low, latencies too long, and both ' +
        'vary more than on a quiet one; compare lines of one table only.'
      : ''
  const pinning = cores.note ?? `server on core ${cores.server}, driver on core ${cores.driver}`
  return (
    `${when} · ${machine.cores} × ${machine.cpu}, ${machine.memoryGb} GB · ${machine.kernel} · Node ${machine.node} · ` +
    `${pinning} · load before the run ${machine.loadBefore}${noise}`
  )
}

function requireOpenFiles(connections: number): void {
  const needed = connections + FILES_BESIDES_CONNECTIONS
  const limit = process.platform === 'linux' ? openFilesMax() : Number.POSITIVE_INFINITY
  if (needed <= limit) return
  throw new UsageError(
    `${connections} connections need ${needed} open files in a process; the hard limit here is ${limit}. ` +
      `Raise it (ulimit -Hn ${needed} as root, --ulimit nofile=${needed} for a container) or take fewer --connections.`,
  )
}
