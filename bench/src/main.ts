import { compareDrivers } from './compare-drivers.ts'
import { compileDriver } from './compiler.ts'
import type { Contender } from './contender.ts'
import { type Flags, readFlags, UsageError, usage } from './flags.ts'
import { type Cores, chooseCores, describeMachine, type Machine, openFilesMax } from './machine.ts'
import { messagesTable } from './messages-table.ts'
import { peers } from './peers.ts'
import { createPlan } from './plan.ts'
import { type TableResults, writeChart, writeResults } from './results.ts'
import { type Bench, runRounds } from './rounds.ts'
import type { Table } from './table.ts'
import { tables } from './tables.ts'

/** What each side needs besides its connections: libraries, the poster, epoll, clients that are on their way. */
const FILES_BESIDES_CONNECTIONS = 400

/** Above this load something else was running. */
const QUIET_LOAD_MAX = 0.5

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
  if (flags.chart !== undefined) {
    console.log(`Written to ${writeChart(flags.chart)}`)
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
  if (flags.connections && !table.hasFixedSizes) return flags.connections
  return flags.isQuick ? (table.quickSizes ?? table.sizes) : table.sizes
}

/** A first look is at ours and what stands in its own place: the servers of others are measured where they are named. */
function contendersOf({ contenders, quickServers }: Table, { servers, isQuick }: Flags): readonly Contender[] {
  if (servers) return contenders.filter(({ name }) => servers.includes(name))
  if (!isQuick) return contenders
  return contenders.filter(({ name }) => quickServers?.includes(name) ?? peers.every((peer) => peer.name !== name))
}

async function runTables(bench: Bench, asked: readonly Table[], flags: Flags): Promise<void> {
  const { cores, plan } = bench
  const machine = describeMachine()
  const started = new Date().toISOString().slice(0, 16)
  const date = `${started.replace('T', ' ')} UTC`
  const name = flags.name ?? `${started.replace('T', '-').replace(':', '')}${flags.isQuick ? '-quick' : ''}`
  const texts = [originLine(date, machine, cores)]
  const results: TableResults[] = []
  const written = { markdown: '', json: '' }
  for (const table of asked) {
    const contenders = contendersOf(table, flags)
    if (contenders.length === 0) continue
    const runs = await runRounds(bench, table, contenders, sizesOf(table, flags))
    const { markdown, rows, targets } = table.answer(plan, runs)
    texts.push(markdown)
    results.push({ table: table.name, rows, targets, runs })
    // After each table, so that what breaks later takes nothing with it.
    written.markdown = texts.join('\n\n')
    written.json = writeResults(name, written.markdown, { date, machine, cores, plan, tables: results })
  }
  if (results.length === 0) throw new UsageError('--servers: none of them is in the tables that are asked for.')
  bench.say(`\nWritten to bench/results/${name}.md and .json\n`)
  if (isWhole(flags)) bench.say(`The chart in ${writeChart([name])} shows this run now.\n`)
  bench.say('\n')
  console.log(flags.isJson ? written.json : written.markdown)
  if (results.some(({ runs }) => runs.some(({ problem }) => problem !== undefined))) process.exitCode = 1
}

/** Whether all was measured that the documentation's chart shows, and at length. */
function isWhole({ tables: names, servers, connections, isQuick }: Flags): boolean {
  return !isQuick && !servers && !connections && names.includes('messages') && names.includes('bursts')
}

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
