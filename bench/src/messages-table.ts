import { compileReference, hasReference } from './compiler.ts'
import { aroundBody, BODY_BYTES, type Contender, channelClient, httpPost, socketIoClient } from './contender.ts'
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
import { describeRounds, messagePhases, postsPerSecond } from './plan.ts'
import { startCServer, startNodeServer } from './server-process.ts'
import { createMessage, signalRFrame } from './servers/envelope.ts'
import { createTable, type Table } from './table.ts'

const OURS = 'serverchannel'

const contenders: readonly Contender[] = [
  {
    name: OURS,
    title: 'ServerChannel: memory store, history, everything that is on by default',
    start: (core) => startNodeServer('serverchannel', core),
    driverOptions: (server) => ({ ...channelClient, ...httpPost(server) }),
  },
  {
    name: 'ws-loop',
    title: '`ws`, a loop of `ws.send(text)`: no history, no positions kept',
    start: (core) => startNodeServer('ws-loop', core),
    driverOptions: (server) => ({ ...channelClient, ...httpPost(server) }),
  },
  {
    name: 'socket-io',
    title: 'Socket.IO, `io.emit`, WebSocket only',
    start: (core) => startNodeServer('socket-io', core),
    driverOptions: (server) => ({ ...socketIoClient, ...httpPost(server) }),
  },
  {
    name: 'c-limit',
    title: 'C, one `send` for each connection: what the kernel allows on one core',
    start: (core) => startCServer(compileReference('cbcast') ?? '', core),
    driverOptions: (server) => ({
      postRaw: server.postPort,
      ...aroundBody((body) => signalRFrame({ ...createMessage('bench', body), Position: 'bench-epoch0:100' })),
    }),
  },
]

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
    `are medians of ${describeRounds(plan)}, all servers in turn within each. Latency is measured apart, at a steady rate.`,
  contenders: contenders.filter(({ name }) => name !== 'c-limit' || hasReference('cbcast')),
  sizes: [1000, 10_000],
  base: OURS,
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
  note: (plan, connections) => `Latency at ${postsPerSecond(plan, connections)} posts a second.`,
  remark: ({ payloadBytesPerDelivery }) => ` (${Math.round(payloadBytesPerDelivery)} bytes in a frame)`,
  footer:
    'CPU-seconds are those of the server process with all its threads, user and system. The Node servers get their ' +
    'messages by HTTP POST on one connection that is kept alive, and answer each; c-limit gets plain lines on a TCP ' +
    'connection, which costs it less. Memory is the growth of the resident set by the open connections, before any message.',
})
