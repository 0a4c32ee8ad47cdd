import { BODY_BYTES, type Contender } from './contender.ts'
import { type Faults, faultsOf, type Latency, latencyOf } from './figures.ts'
import { milliseconds, percentiles } from './markdown.ts'
import { C_COALESCED, C_LIMIT, latencyServers, NATIVE, OURS, OURS_NATIVE } from './message-servers.ts'
import { describeRounds, times } from './plan.ts'
import { describeWarmUp } from './rounds.ts'
import { createTable, type Measured, type Table } from './table.ts'
import { quotient } from './targets.ts'

interface Figures extends Latency, Faults {}

const MANY_CONNECTIONS = 5000
/** HTTP posts whose answers are not awaited, so that the rate holds however late an answer is. */
const PIPELINE = 16

/** How late messages come at a rate that keeps a core busy. */
export const latencyTable: Table = createTable<Figures>({
  name: 'latency',
  title: 'Latency under load',
  lead: (plan) =>
    `Messages to all with a body of ${BODY_BYTES} bytes at a steady rate for ${plan.latencySeconds} s: from the moment at ` +
    'which a post was due to its delivery. A server that cannot keep up falls behind, and its latencies grow as long as ' +
    `the rate holds. Figures are medians of ${describeRounds(plan)}, all servers in turn within each. ${describeWarmUp(plan)}`,
  contenders: latencyServers.map(inPipeline),
  sizes: [1000, 10_000],
  quickSizes: [1000],
  // The others fall behind at that rate, which takes long to show.
  quickServers: [OURS, OURS_NATIVE, C_COALESCED],
  base: OURS,
  warmUpMessages: (plan) => plan.messagesToWarmUp,
  phasesOf: (plan, connections) => [
    `burst:${times(plan.deliveriesToWarmUp, connections)}:1`,
    `rate:${loadPerSecond(connections)}:${plan.latencySeconds}`,
  ],
  summaryOf: ({ phases: [, load] }) => `p99 ${milliseconds(load?.latencyP99Ms ?? 0)} ms`,
  figuresOf: (reports) => ({ ...latencyOf(reports, 1), ...faultsOf(reports) }),
  columns: [
    { title: 'p50 / p99 ms', cell: percentiles },
    { title: 'longest ms', cell: ({ latencyMaxMs }) => milliseconds(latencyMaxMs) },
    {
      title: 'lost / doubled / out of order',
      cell: ({ lost, doubled, outOfOrder }) => `${lost} / ${doubled} / ${outOfOrder}`,
    },
  ],
  targets: [
    { what: 'p99: ours to C coalesced', connections: 1000, atMost: 1.3, value: p99To(C_COALESCED) },
    { what: NATIVE, connections: 1000, atMost: 1.3, value: p99To(C_COALESCED, OURS_NATIVE) },
    { what: 'p99: ours to the C limit', connections: 10_000, atMost: 1.5, value: p99To(C_LIMIT) },
    { what: NATIVE, connections: 10_000, atMost: 1.5, value: p99To(C_LIMIT, OURS_NATIVE) },
  ],
  note: (_, connections) => `${loadPerSecond(connections)} posts a second.`,
  remark: () => '',
  footer: 'The driver looks at its sockets every 150 µs, so latencies are up to 0.2 ms too long.',
})

function loadPerSecond(connections: number): number {
  return connections >= MANY_CONNECTIONS ? 10 : 500
}

function inPipeline(contender: Contender): Contender {
  return {
    ...contender,
    driverOptions: (server, connections) => ({
      ...contender.driverOptions(server, connections),
      settleMs: 0,
      postPipeline: PIPELINE,
    }),
  }
}

function p99To(
  server: string,
  ours: string = OURS,
): (measured: Measured<Figures>, connections: number) => number | undefined {
  return (measured, connections) =>
    quotient(measured.of(ours, connections)?.latencyP99Ms, measured.of(server, connections)?.latencyP99Ms)
}
