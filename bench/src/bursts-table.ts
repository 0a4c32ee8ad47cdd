import { BODY_BYTES, type Contender } from './contender.ts'
import { type Faults, faultsOf, median, phaseFigures, type Throughput, throughputOf } from './figures.ts'
import { rate, ratio, whole } from './markdown.ts'
import { burstServers, C_COALESCED, OURS, SOCKET_IO, WS_LOOP } from './message-servers.ts'
import { describeRounds, type Plan, times } from './plan.ts'
import { describeWarmUp } from './rounds.ts'
import { createTable, type Measured, type Table } from './table.ts'
import { quotient } from './targets.ts'

interface Figures extends Throughput, Faults {
  payloadBytesPerDelivery: number
}

/** From here on a message to all is so much work that fewer are outstanding. */
const MANY_CONNECTIONS = 5000
/** They send each message by itself, and take so much longer that fewer deliveries are enough. */
const WITHOUT_COALESCING: readonly string[] = [WS_LOOP, SOCKET_IO, 'nchan']

/** Many messages to all at the same time: what coalescing is for. */
export const burstsTable: Table = createTable<Figures>({
  name: 'bursts',
  title: 'Messages to all connections, in bursts',
  lead: (plan) =>
    `Each message has a body of ${BODY_BYTES} bytes. Up to ${outstanding(1000)} messages (${outstanding(10_000)} from ` +
    `${whole(MANY_CONNECTIONS)} connections on) are posted that not all have got, in a pipeline. c-coalesced sends ` +
    `frames of as many bytes as ours. Figures are medians of ${describeRounds(plan)}, all servers in turn within each. ${describeWarmUp(plan)}`,
  contenders: burstServers.map(inPipeline),
  sizes: [1000, 10_000],
  quickSizes: [1000],
  base: OURS,
  warmUpMessages: (plan) => plan.messagesToWarmUp,
  phasesOf: (plan, connections, server) => {
    const window = outstanding(connections)
    const deliveries = burstDeliveries(plan, server)
    return [
      `burst:${2 * window}:${window}`,
      `burst:${Math.max(2, Math.ceil(times(deliveries, connections) / window)) * window}:${window}`,
    ]
  },
  summaryOf: ({ phases: [, burst] }) => `${whole(burst?.deliveriesPerServerCpuSecond ?? 0)} deliveries per CPU-second`,
  figuresOf: (reports) => ({
    ...throughputOf(reports, 1),
    ...faultsOf(reports),
    payloadBytesPerDelivery: median(phaseFigures(reports, 1, (phase) => phase.payloadBytesPerDelivery)),
  }),
  columns: [
    { title: 'deliveries per CPU-second (least – most)', cell: rate },
    { title: 'to ours', cell: ratio },
    { title: 'user µs per delivery', cell: ({ userMicroseconds }) => userMicroseconds.toFixed(2) },
    {
      title: 'lost / doubled / out of order',
      cell: ({ lost, doubled, outOfOrder }) => `${lost} / ${doubled} / ${outOfOrder}`,
    },
  ],
  targets: [
    { what: 'ours to C coalesced, at equal bytes', atLeast: 0.7, value: oursTo(C_COALESCED) },
    {
      what: 'ours, posted as NDJSON, to C coalesced, at equal bytes',
      atLeast: 0.7,
      value: (measured, connections) =>
        quotient(
          measured.of(`${OURS}-ndjson`, connections)?.perCpuSecond,
          measured.of(C_COALESCED, connections)?.perCpuSecond,
        ),
    },
    { what: 'ours to Socket.IO', connections: 1000, atLeast: 20, value: oursTo(SOCKET_IO) },
    { what: 'ours to Socket.IO', connections: 10_000, atLeast: 12, value: oursTo(SOCKET_IO) },
  ],
  note: (_, connections) => `${outstanding(connections)} messages outstanding.`,
  remark: ({ payloadBytesPerDelivery }) => ` (${Math.round(payloadBytesPerDelivery)} bytes in a frame)`,
  footer:
    'In bursts that are coalesced the cost is by the byte: compare with the bytes of a frame in mind. nats, nchan and bun ' +
    'send the body with nothing around it.',
})

function outstanding(connections: number): number {
  return connections >= MANY_CONNECTIONS ? 16 : 64
}

function burstDeliveries(plan: Plan, server: string): number {
  return WITHOUT_COALESCING.includes(server) ? plan.deliveriesNotCoalesced : plan.deliveriesCoalesced
}

function inPipeline(contender: Contender): Contender {
  return {
    ...contender,
    driverOptions: (server, connections) => ({
      ...contender.driverOptions(server, connections),
      settleMs: 0,
      postPipeline: outstanding(connections),
    }),
  }
}

function oursTo(server: string): (measured: Measured<Figures>, connections: number) => number | undefined {
  return (measured, connections) =>
    quotient(measured.of(OURS, connections)?.perCpuSecond, measured.of(server, connections)?.perCpuSecond)
}
