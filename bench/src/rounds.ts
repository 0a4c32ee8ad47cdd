import { BODY_BYTES, type Contender } from './contender.ts'
import { type DriverOptions, type DriverReport, problemOf, runDriver } from './driver.ts'
import type { Cores } from './machine.ts'
import { whole } from './markdown.ts'
import type { Plan } from './plan.ts'
import type { ServerProcess } from './server-process.ts'
import type { Table } from './table.ts'

/** All runs of one server with one number of connections. */
export interface Runs {
  server: string
  connections: number
  reports: DriverReport[]
  /** Why there are no figures. */
  problem?: string
}

/** That a server sends messages to before it is measured. */
const WARM_UP_CONNECTIONS = 10

/** For the lead of a table whose servers are warmed up; empty where they are not. */
export function describeWarmUp({ messagesToWarmUp }: Plan): string {
  if (messagesToWarmUp === 0) return ''
  return `Each server has sent ${whole(messagesToWarmUp)} messages to ${WARM_UP_CONNECTIONS} clients before. `
}

export interface Bench {
  driver: string
  cores: Cores
  plan: Plan
  say: (text: string) => void
}

/**
 * Runs every server with every number of connections, round by round: in each round all servers one after the other,
 * so that what slows the machine down for a while slows all of them.
 */
export async function runRounds(
  bench: Bench,
  table: Table,
  contenders: readonly Contender[],
  sizes: readonly number[],
): Promise<Runs[]> {
  const present = presentOf(bench, table, contenders)
  const all: Runs[] = []
  for (const connections of sizes) {
    const runs = present.map(({ name }): Runs => ({ server: name, connections, reports: [] }))
    for (let round = 1; round <= bench.plan.rounds; round++) {
      for (const [index, contender] of present.entries()) {
        const mine = runs[index]
        if (!mine || mine.problem !== undefined) continue
        bench.say(
          `${table.name}, ${connections} connections, round ${round} of ${bench.plan.rounds}: ${contender.name} … `,
        )
        await runOnce(bench, table, contender, mine)
        const report = mine.reports.at(-1)
        bench.say(`${mine.problem ?? (report ? table.summaryOf(report) : 'nothing')}\n`)
      }
    }
    all.push(...runs)
  }
  return all
}

/** Says which are not here. */
function presentOf(bench: Bench, table: Table, contenders: readonly Contender[]): readonly Contender[] {
  return contenders.filter(({ name, missing }) => {
    const why = missing?.()
    if (why !== undefined) bench.say(`${table.name}: ${name} is skipped: ${why}\n`)
    return why === undefined
  })
}

/** Starts the server anew, so that memory and warm-up are the same for each run. */
async function runOnce(bench: Bench, table: Table, contender: Contender, runs: Runs): Promise<void> {
  try {
    const server = await contender.start(bench.cores.server)
    try {
      const before = await warmUp(bench, table, contender, server, runs.connections)
      const phases = table.phasesOf(bench.plan, runs.connections, contender.name)
      const report = await runDriver(bench.driver, optionsOf(bench, contender, server, runs.connections, phases))
      runs.reports.push({ ...report, ...(before[0] && clientsOf(before[0])) })
      const problem = [...before, report].map(problemOf).find((found) => found !== undefined)
      if (problem !== undefined) runs.problem = problem
    } finally {
      await server.stop()
    }
  } catch (error) {
    runs.problem = error instanceof Error ? error.message : String(error)
  }
}

/** Where the table wants it: first what its clients cost a server that has just begun, then messages. */
async function warmUp(
  bench: Bench,
  table: Table,
  contender: Contender,
  server: ServerProcess,
  connections: number,
): Promise<readonly DriverReport[]> {
  const messages = table.warmUpMessages?.(bench.plan) ?? 0
  if (messages === 0) return []
  const drive = (count: number, posts: number): Promise<DriverReport> => {
    const options = optionsOf(bench, contender, server, count, [])
    const batch = options.postBatch ?? 1
    return runDriver(bench.driver, { ...options, phase: [`burst:${posts * batch}:${batch}`] })
  }
  return [await drive(connections, 1), await drive(WARM_UP_CONNECTIONS, messages)]
}

/** What clients cost a server that has had none before. */
function clientsOf({
  rssIdleBytes,
  rssBytesPerConnection,
  connectsPerSecond,
  connectsPerServerCpuSecond,
}: DriverReport): Partial<DriverReport> {
  return { rssIdleBytes, rssBytesPerConnection, connectsPerSecond, connectsPerServerCpuSecond }
}

/** How the driver is run against this server. */
export function optionsOf(
  bench: Bench,
  contender: Contender,
  server: ServerProcess,
  connections: number,
  phase: readonly string[],
): DriverOptions {
  return {
    port: server.port,
    connections,
    serverPid: server.pid,
    cpu: bench.cores.driver,
    payloadBytes: BODY_BYTES,
    settleMs: bench.plan.settleMs,
    quietMs: bench.plan.quietMs,
    graceMs: bench.plan.graceMs,
    ...contender.driverOptions(server, connections),
    phase,
  }
}
