import { BODY_BYTES, type Contender, OURS } from './contenders.ts'
import type { Cores, Machine } from './machine.ts'
import { type Plan, postsPerSecond } from './plan.ts'
import type { Row } from './rows.ts'

/** All that one run of the benchmark says. */
export interface Results {
  date: string
  machine: Machine
  cores: Cores
  plan: Plan
  rows: readonly Row[]
}

export function toMarkdown(results: Results, contenders: readonly Contender[]): string {
  const { plan, rows } = results
  const sizes = [...new Set(rows.map((row) => row.connections))]
  return [
    `# One message to all connections, one at a time`,
    machineLine(results),
    `Each message has a body of ${BODY_BYTES} bytes and is posted when all connections have got the one before; figures ` +
      `are medians of ${rounds(plan)}, all servers in turn within each. Latency is measured apart, at a steady rate.`,
    ...sizes.map((size) => tableOf(plan, rows, size)),
    notesOf(contenders, rows),
  ].join('\n\n')
}

function machineLine({ date, machine, cores }: Results): string {
  const pinning = cores.note ?? `server on core ${cores.server}, driver on core ${cores.driver}`
  return (
    `${date} · ${machine.cores} × ${machine.cpu}, ${machine.memoryGb} GB · ${machine.kernel} · Node ${machine.node} · ` +
    `${pinning} · load before the run ${machine.loadBefore}`
  )
}

function rounds(plan: Plan): string {
  return plan.rounds === 1 ? 'one round (for a first look: rounds differ by 20 %)' : `${plan.rounds} rounds`
}

const columns = [
  'server',
  'deliveries per CPU-second (least – most)',
  'to ours',
  'user µs per delivery',
  'p50 / p99 ms',
  'memory per idle connection',
  'connects per second',
  'connects per CPU-second',
  'lost / doubled / out of order',
]

function tableOf(plan: Plan, rows: readonly Row[], connections: number): string {
  return [
    `## ${whole(connections)} connections`,
    `Latency at ${postsPerSecond(plan, connections)} posts a second.`,
    '',
    line(columns),
    line(columns.map(() => '---')),
    ...rows.filter((row) => row.connections === connections).map(rowLine),
  ].join('\n')
}

function rowLine(row: Row): string {
  const name = row.server === OURS ? `**${row.server}**` : row.server
  if (row.problem !== undefined) return line([name, `no figures: ${row.problem}`, ...columns.slice(2).map(() => '–')])
  const least = thousands(row.deliveriesPerServerCpuSecondLeast)
  const most = thousands(row.deliveriesPerServerCpuSecondMost)
  return line([
    name,
    thousands(row.deliveriesPerServerCpuSecond) + (least === most ? '' : ` (${least} – ${most})`),
    row.ratioToOurs === undefined ? '–' : row.ratioToOurs.toFixed(2),
    row.userMicrosecondsPerDelivery.toFixed(2),
    `${milliseconds(row.latencyP50Ms)} / ${milliseconds(row.latencyP99Ms)}`,
    `${(row.rssBytesPerConnection / 1024).toFixed(1)} KiB`,
    whole(row.connectsPerSecond),
    whole(row.connectsPerServerCpuSecond),
    `${row.lost} / ${row.doubled} / ${row.outOfOrder}`,
  ])
}

function notesOf(contenders: readonly Contender[], rows: readonly Row[]): string {
  const bytes = (name: string): string => {
    const row = rows.find(({ server, problem }) => server === name && problem === undefined)
    return row ? ` (${Math.round(row.payloadBytesPerDelivery)} bytes in a frame)` : ''
  }
  return [
    ...contenders.map(({ name, title }) => `- ${name}: ${title}${bytes(name)}`),
    '',
    'CPU-seconds are those of the server process with all its threads, user and system. The Node servers get their ' +
      'messages by HTTP POST on one connection that is kept alive, and answer each; c-limit gets plain lines on a TCP ' +
      'connection, which costs it less. Memory is the growth of the resident set by the open connections, before any message.',
  ].join('\n')
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}

function thousands(value: number): string {
  return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)}k`
}

function milliseconds(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0)
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
