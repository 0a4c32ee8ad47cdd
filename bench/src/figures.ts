import type { DriverReport, PhaseReport } from './driver.ts'

/** What went wrong over all rounds and phases, the warm-up too: sums, not medians. */
export interface Faults {
  lost: number
  doubled: number
  outOfOrder: number
  /** Answers that do not fit their call. */
  wrong: number
}

/** The rate and the cost of one phase: medians of all rounds. */
export interface Throughput {
  perCpuSecond: number
  perCpuSecondLeast: number
  perCpuSecondMost: number
  userMicroseconds: number
}

/** Medians of all rounds. */
export interface Latency {
  latencyP50Ms: number
  latencyP99Ms: number
  latencyMaxMs: number
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

export function medianOf(reports: readonly DriverReport[], pick: (report: DriverReport) => number): number {
  return median(reports.map(pick))
}

/** A figure of the phase that stands at this place in each report. */
export function phaseFigures(
  reports: readonly DriverReport[],
  index: number,
  pick: (phase: PhaseReport) => number,
): number[] {
  return reports.flatMap((report) => report.phases.slice(index, index + 1)).map(pick)
}

export function throughputOf(reports: readonly DriverReport[], index: number): Throughput {
  const rates = phaseFigures(reports, index, (phase) => phase.deliveriesPerServerCpuSecond)
  return {
    perCpuSecond: median(rates),
    perCpuSecondLeast: Math.min(...rates),
    perCpuSecondMost: Math.max(...rates),
    userMicroseconds: median(phaseFigures(reports, index, (phase) => phase.userMicrosecondsPerDelivery)),
  }
}

export function latencyOf(reports: readonly DriverReport[], index: number): Latency {
  return {
    latencyP50Ms: median(phaseFigures(reports, index, (phase) => phase.latencyP50Ms)),
    latencyP99Ms: median(phaseFigures(reports, index, (phase) => phase.latencyP99Ms)),
    latencyMaxMs: median(phaseFigures(reports, index, (phase) => phase.latencyMaxMs)),
  }
}

export function faultsOf(reports: readonly DriverReport[]): Faults {
  const sum = (pick: (phase: PhaseReport) => number): number =>
    reports.flatMap((report) => report.phases).reduce((total, phase) => total + pick(phase), 0)
  return {
    lost: sum((phase) => phase.lost),
    doubled: sum((phase) => phase.doubled),
    outOfOrder: sum((phase) => phase.outOfOrder + phase.late + phase.unknown),
    wrong: sum((phase) => phase.wrong),
  }
}
