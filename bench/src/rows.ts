import { OURS } from './contenders.ts'
import type { DriverReport, PhaseReport } from './driver.ts'
import type { Runs } from './rounds.ts'

/** The middle of all rounds, or the sum where something is counted. */
export interface Row {
  server: string
  connections: number
  problem?: string
  deliveriesPerServerCpuSecond: number
  deliveriesPerServerCpuSecondLeast: number
  deliveriesPerServerCpuSecondMost: number
  /** Of deliveries per CPU-second: this server's divided by ours. */
  ratioToOurs?: number
  userMicrosecondsPerDelivery: number
  latencyP50Ms: number
  latencyP99Ms: number
  latencyMaxMs: number
  rssBytesPerConnection: number
  connectsPerSecond: number
  connectsPerServerCpuSecond: number
  payloadBytesPerDelivery: number
  lost: number
  doubled: number
  outOfOrder: number
}

export function toRows(all: readonly Runs[]): Row[] {
  const rows = all.map(toRow)
  for (const row of rows) {
    const ours = rows.find(({ server, connections }) => server === OURS && connections === row.connections)
    if (!ours || ours.problem !== undefined || row.problem !== undefined) continue
    row.ratioToOurs = row.deliveriesPerServerCpuSecond / ours.deliveriesPerServerCpuSecond
  }
  return rows
}

function toRow({ server, connections, reports, problem }: Runs): Row {
  const burst = (pick: (phase: PhaseReport) => number): number[] => pickPhase(reports, 1).map(pick)
  const rate = (pick: (phase: PhaseReport) => number): number[] => pickPhase(reports, 2).map(pick)
  const whole = (pick: (report: DriverReport) => number): number[] => reports.map(pick)
  const sum = (pick: (phase: PhaseReport) => number): number =>
    reports.flatMap((report) => report.phases).reduce((total, phase) => total + pick(phase), 0)
  const perCpuSecond = burst((phase) => phase.deliveriesPerServerCpuSecond)
  return {
    server,
    connections,
    ...(problem === undefined ? {} : { problem }),
    deliveriesPerServerCpuSecond: median(perCpuSecond),
    deliveriesPerServerCpuSecondLeast: Math.min(...perCpuSecond, Number.MAX_VALUE),
    deliveriesPerServerCpuSecondMost: Math.max(...perCpuSecond, 0),
    userMicrosecondsPerDelivery: median(burst((phase) => phase.userMicrosecondsPerDelivery)),
    latencyP50Ms: median(rate((phase) => phase.latencyP50Ms)),
    latencyP99Ms: median(rate((phase) => phase.latencyP99Ms)),
    latencyMaxMs: median(rate((phase) => phase.latencyMaxMs)),
    rssBytesPerConnection: median(whole((report) => report.rssBytesPerConnection)),
    connectsPerSecond: median(whole((report) => report.connectsPerSecond)),
    connectsPerServerCpuSecond: median(whole((report) => report.connectsPerServerCpuSecond)),
    payloadBytesPerDelivery: median(burst((phase) => phase.payloadBytesPerDelivery)),
    lost: sum((phase) => phase.lost),
    doubled: sum((phase) => phase.doubled),
    outOfOrder: sum((phase) => phase.outOfOrder + phase.late + phase.unknown),
  }
}

function pickPhase(reports: readonly DriverReport[], index: number): PhaseReport[] {
  return reports.flatMap((report) => report.phases.slice(index, index + 1))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}
