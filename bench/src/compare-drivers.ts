import { compileReference } from './compiler.ts'
import type { Contender } from './contender.ts'
import { type DriverReport, outputOf, problemOf, runDriver, toFlags } from './driver.ts'
import { median } from './figures.ts'
import { UsageError } from './flags.ts'
import { JsonRecord } from './json-record.ts'
import { messagesTable } from './messages-table.ts'
import { messagePhases } from './plan.ts'
import { type Bench, optionsOf } from './rounds.ts'
import type { ServerProcess } from './server-process.ts'

/** The figures that both drivers give. */
interface Figures {
  deliveriesPerServerCpuSecond: number
  userMicrosecondsPerDelivery: number
  latencyP50Ms: number
  latencyP99Ms: number
  connectsPerSecond: number
  connectsPerServerCpuSecond: number
  deliveries: number
  faults: number
}

const labels: readonly [keyof Figures, string, number][] = [
  ['deliveriesPerServerCpuSecond', 'deliveries per CPU-second', 0],
  ['userMicrosecondsPerDelivery', 'user µs per delivery', 2],
  ['latencyP50Ms', 'p50 ms', 2],
  ['latencyP99Ms', 'p99 ms', 2],
  ['connectsPerSecond', 'connects per second', 0],
  ['connectsPerServerCpuSecond', 'connects per CPU-second', 0],
  ['deliveries', 'deliveries counted in the burst', 0],
  ['faults', 'lost, doubled or out of order', 0],
]

/** Runs our load driver and the reference driver `wsfan` in turn against the same kind of server; gives a table. */
export async function compareDrivers(bench: Bench, sizes: readonly number[]): Promise<string> {
  const reference = compileReference('wsfan')
  if (reference === undefined) {
    throw new UsageError('--compare-drivers: the reference driver wsfan.c is not here (../shared/bench).')
  }
  const contender = messagesTable.contenders.find(({ name }) => name === 'ws-loop')
  if (!contender) throw new UsageError('--compare-drivers needs the server ws-loop.')
  const tables: string[] = []
  for (const connections of sizes) {
    const ours: Figures[] = []
    const theirs: Figures[] = []
    for (let round = 1; round <= bench.plan.rounds; round++) {
      bench.say(`${connections} connections, round ${round} of ${bench.plan.rounds}: our driver, `)
      ours.push(await withServer(contender, bench, (server) => runOurs(bench, contender, server, connections)))
      bench.say('wsfan\n')
      theirs.push(await withServer(contender, bench, (server) => runReference(bench, reference, server, connections)))
    }
    tables.push(tableOf(connections, ours, theirs))
  }
  return `# Two load drivers on the same server (ws-loop), medians of ${bench.plan.rounds}\n\n${tables.join('\n\n')}`
}

async function withServer(
  contender: Contender,
  bench: Bench,
  run: (server: ServerProcess) => Promise<Figures>,
): Promise<Figures> {
  const server = await contender.start(bench.cores.server)
  try {
    return await run(server)
  } finally {
    await server.stop()
  }
}

async function runOurs(
  bench: Bench,
  contender: Contender,
  server: ServerProcess,
  connections: number,
): Promise<Figures> {
  const report = await runDriver(
    bench.driver,
    optionsOf(bench, contender, server, connections, messagePhases(bench.plan, connections)),
  )
  const problem = problemOf(report)
  if (problem !== undefined) throw new Error(problem)
  return figuresOf(report)
}

function figuresOf(report: DriverReport): Figures {
  const [, burst, rate] = report.phases
  if (!burst || !rate) throw new Error('the report of the driver has too few phases')
  return {
    deliveriesPerServerCpuSecond: burst.deliveriesPerServerCpuSecond,
    userMicrosecondsPerDelivery: burst.userMicrosecondsPerDelivery,
    latencyP50Ms: rate.latencyP50Ms,
    latencyP99Ms: rate.latencyP99Ms,
    connectsPerSecond: report.connectsPerSecond,
    connectsPerServerCpuSecond: report.connectsPerServerCpuSecond,
    deliveries: burst.deliveries,
    faults: burst.lost + burst.doubled + burst.outOfOrder,
  }
}

async function runReference(
  bench: Bench,
  program: string,
  server: ServerProcess,
  connections: number,
): Promise<Figures> {
  const flags = toFlags({
    port: server.port,
    path: '/msg',
    n: connections,
    serverPid: server.pid,
    cpu: bench.cores.driver,
    nap: 150,
    settle: bench.plan.settleMs,
    hello: '{"protocol":"json","version":1}\\x1e',
    ready: '{}\\x1e',
    pub: `http:${server.postPort}:/api/messages`,
    pubHeader: 'Content-Type: application/json',
    pubPre: '{"sender":"bench","body":"',
    pubPost: '"}',
    phase: messagePhases(bench.plan, connections),
  })
  const output = await outputOf(program, flags)
  const report = JsonRecord.parse(output, 'the report of wsfan')
  const [, burst, rate] = report.list('phases')
  if (!burst || !rate) throw new Error('the report of wsfan has too few phases')
  const user = burst.number('srv_user_s')
  const system = burst.number('srv_sys_s')
  const cpuPerDelivery = burst.number('srv_cpu_s') / burst.number('received')
  return {
    deliveriesPerServerCpuSecond: burst.number('deliv_per_cpu_s'),
    userMicrosecondsPerDelivery: (cpuPerDelivery * 1e6 * user) / (user + system),
    latencyP50Ms: rate.number('p50'),
    latencyP99Ms: rate.number('p99'),
    connectsPerSecond: report.number('conn_per_s'),
    connectsPerServerCpuSecond: report.number('conn_per_cpu_s'),
    deliveries: burst.number('received'),
    faults: burst.number('expected') - burst.number('received') + burst.number('dup') + burst.number('ooo'),
  }
}

function tableOf(connections: number, ours: readonly Figures[], theirs: readonly Figures[]): string {
  const lines = labels.map(([field, label, digits]) => {
    const mine = median(ours.map((figures) => figures[field]))
    const other = median(theirs.map((figures) => figures[field]))
    const ratio = other === 0 ? '–' : (mine / other).toFixed(2)
    return `| ${label} | ${mine.toFixed(digits)} | ${other.toFixed(digits)} | ${ratio} |`
  })
  return [
    `## ${connections} connections`,
    '',
    '| | ours | wsfan | ratio |',
    '| --- | --- | --- | --- |',
    ...lines,
  ].join('\n')
}
