import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compareDrivers } from './compare-drivers.ts'
import { compileDriver } from './compiler.ts'
import { availableContenders } from './contenders.ts'
import { type Flags, readFlags, UsageError, usage } from './flags.ts'
import { chooseCores, describeMachine, openFilesMax } from './machine.ts'
import { toMarkdown } from './markdown.ts'
import { createPlan } from './plan.ts'
import { type Bench, runRounds } from './rounds.ts'
import { toRows } from './rows.ts'

/** What each side needs besides its connections: libraries, the poster, epoll. */
const FILES_BESIDES_CONNECTIONS = 100

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
  const known = availableContenders()
  const names = known.map(({ name }) => name)
  const flags = readFlags(process.argv.slice(2), names)
  if (flags.isHelp) {
    console.log(usage(names))
    return
  }
  requireOpenFiles(flags.connections)
  const bench = {
    driver: compileDriver(),
    cores: chooseCores(),
    plan: createPlan(flags.isQuick, flags.rounds),
    say: (text: string): void => void process.stderr.write(text),
  }
  if (bench.cores.note !== undefined) bench.say(`${bench.cores.note}\n`)
  if (flags.comparesDrivers) console.log(await compareDrivers(bench, flags.connections))
  else await runTable(bench, flags)
}

async function runTable(bench: Bench, flags: Flags): Promise<void> {
  const contenders = availableContenders().filter(({ name }) => flags.servers.includes(name))
  const machine = describeMachine()
  const runs = await runRounds(bench, contenders, flags.connections)
  const date = new Date().toISOString().slice(0, 16)
  const results = {
    date: `${date.replace('T', ' ')} UTC`,
    machine,
    cores: bench.cores,
    plan: bench.plan,
    rows: toRows(runs),
  }
  const markdown = toMarkdown(results, contenders)
  const json = JSON.stringify({ ...results, runs }, null, 2)
  const name = flags.name ?? `${date.replace('T', '-').replace(':', '')}${flags.isQuick ? '-quick' : ''}`
  mkdirSync(resultsFolder, { recursive: true })
  writeFileSync(join(resultsFolder, `${name}.md`), `${markdown}\n`)
  writeFileSync(join(resultsFolder, `${name}.json`), `${json}\n`)
  bench.say(`\nWritten to bench/results/${name}.md and .json\n\n`)
  console.log(flags.isJson ? json : markdown)
  if (runs.some(({ problem }) => problem !== undefined)) process.exitCode = 1
}

function requireOpenFiles(sizes: readonly number[]): void {
  const needed = Math.max(...sizes) + FILES_BESIDES_CONNECTIONS
  const limit = process.platform === 'linux' ? openFilesMax() : Number.POSITIVE_INFINITY
  if (needed <= limit) return
  throw new UsageError(
    `${Math.max(...sizes)} connections need ${needed} open files in a process; the hard limit here is ${limit}. ` +
      `Raise it (ulimit -Hn ${needed} as root, --ulimit nofile=${needed} for a container) or take fewer --connections.`,
  )
}
