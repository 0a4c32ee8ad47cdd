import { BODY_BYTES } from './contender.ts'
import {
  type Faults,
  faultsOf,
  type Latency,
  latencyOf,
  median,
  medianOf,
  phaseFigures,
  type Throughput,
  throughputOf,
} from './figures.ts'
import { kibibytes, percentiles, rate, ratio, whole } from './markdown.ts'
import { C_LIMIT, NATIVE, OURS, OURS_NATIVE, SOCKET_IO, singleServers, WS_LOOP } from './message-servers.ts'
import { describeRounds, messagePhases, postsPerSecond } from './plan.ts'
import { describeWarmUp } from './rounds.ts'
import { createTable, type Measured, type Table } from './table.ts'
import { quotient } from './targets.ts'

interface Figures extends Throughput, Latency, Faults {
  rssBytesPerConnection: number
  connectsPerSecond: number
  connectsPerServerCpuSecond: number
  payloadBytesPerDelivery: number
}

/** One message to all over WebSockets in JSON, ours beside what one would take instead. */
export const messagesTable: Table = createTable<Figures>({
  name: 'messages',
  title: 'One message to all connections, one at a time',
  lead: (plan) =>
    `Each message has a body of ${BODY_BYTES} bytes and is posted when all connections have got the one before; figures ` +
    `are medians of ${describeRounds(plan)}, all servers in turn within each. ${describeWarmUp(plan)}Latency is measured apart, at a steady rate.`,
  contenders: singleServers,
  sizes: [1000, 10_000],
  quickSizes: [1000],
  base: OURS,
  warmUpMessages: (plan) => plan.messagesToWarmUp,
  phasesOf: messagePhases,
  summaryOf: ({ phases: [, burst] }) => `${whole(burst?.deliveriesPerServerCpuSecond ?? 0)} deliveries per CPU-second`,
  figuresOf: (reports) => ({
    ...throughputOf(reports, 1),
    ...latencyOf(reports, 2),
    ...faultsOf(reports),
    rssBytesPerConnection: medianOf(reports, (report) => report.rssBytesPerConnection),
    connectsPerSecond: medianOf(reports, (report) => report.connectsPerSecond),
    connectsPerServerCpuSecond: medianOf(reports, (report) => report.connectsPerServerCpuSecond),
    payloadBytesPerDelivery: median(phaseFigures(reports, 1, (phase) => phase.payloadBytesPerDelivery)),
  }),
  columns: [
    { title: 'deliveries per CPU-second (least – most)', cell: rate },
    { title: 'to ours', cell: ratio },
    { title: 'user µs per delivery', cell: ({ userMicroseconds }) => userMicroseconds.toFixed(2) },
    { title: 'p50 / p99 ms', cell: percentiles },
    { title: 'memory per idle connection', cell: ({ rssBytesPerConnection }) => kibibytes(rssBytesPerConnection) },
    { title: 'connects per second', cell: ({ connectsPerSecond }) => whole(connectsPerSecond) },
    { title: 'connects per CPU-second', cell: (figures) => whole(figures.connectsPerServerCpuSecond) },
    {
      title: 'lost / doubled / out of order',
      cell: ({ lost, doubled, outOfOrder }) => `${lost} / ${doubled} / ${outOfOrder}`,
    },
  ],
  targets: [
    { what: 'deliveries per CPU-second: ours to the C limit', atLeast: 0.85, value: oursTo(C_LIMIT) },
    { what: NATIVE, atLeast: 0.85, value: oursTo(C_LIMIT, OURS_NATIVE) },
    { what: 'ours to a `ws.send` loop', atLeast: 1.2, value: oursTo(WS_LOOP) },
    { what: NATIVE, atLeast: 1.2, value: oursTo(WS_LOOP, OURS_NATIVE) },
    { what: 'ours to Socket.IO', connections: 1000, atLeast: 1.4, value: oursTo(SOCKET_IO) },
    { what: 'ours to Socket.IO', connections: 10_000, atLeast: 1.7, value: oursTo(SOCKET_IO) },
    {
      what: 'user µs per delivery',
      atMost: 1.2,
      value: (measured, connections) => measured.of(OURS, connections)?.userMicroseconds,
    },
    {
      what: NATIVE,
      atMost: 1.2,
      value: (measured, connections) => measured.of(OURS_NATIVE, connections)?.userMicroseconds,
    },
    {
      what: 'KiB per idle connection',
      connections: 10_000,
      atMost: 8,
      value: (measured, connections) => quotient(measured.of(OURS, connections)?.rssBytesPerConnection, 1024),
    },
    {
      what: 'connects per CPU-second: ours to bare `ws` accepting',
      atLeast: 0.9,
      value: (measured, connections) =>
        quotient(
          measured.of(OURS, connections)?.connectsPerServerCpuSecond,
          measured.of(WS_LOOP, connections)?.connectsPerServerCpuSecond,
        ),
    },
  ],
  note: (plan, connections) => `Latency at ${postsPerSecond(plan, connections)} posts a second.`,
  remark: ({ payloadBytesPerDelivery }) => ` (${Math.round(payloadBytesPerDelivery)} bytes in a frame)`,
  footer:
    'CPU-seconds are those of the server process with all its threads, user and system. The Node servers get their ' +
    'messages by HTTP POST on one connection that is kept alive, and answer each, as do nchan and Bun; c-limit and nats get ' +
    'plain lines on a TCP connection, which costs them less. nats, nchan and bun send the body with nothing around it. Memory is the growth of the resident set by the open connections, before any message.',
})

function oursTo(
  server: string,
  ours: string = OURS,
): (measured: Measured<Figures>, connections: number) => number | undefined {
  return (measured, connections) =>
    quotient(measured.of(ours, connections)?.perCpuSecond, measured.of(server, connections)?.perCpuSecond)
}
