import { BODY_BYTES, type Contender, channelClient, httpPost, messagePackClient } from './contender.ts'
import type { DriverOptions } from './driver.ts'
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
import { BURST_OUTSTANDING, describeRounds, postsPerSecond, transportPhases } from './plan.ts'
import { describeWarmUp } from './rounds.ts'
import { startNodeServer } from './server-process.ts'
import { createTable, type Table } from './table.ts'

interface Figures extends Latency, Faults {
  oneAtATime: Throughput
  burst: Throughput
  rssBytesPerConnection: number
  payloadBytesPerDelivery: number
}

/** One message to all of ours, over each transport and in each codec that it carries. */
export const transportsTable: Table = createTable<Figures>({
  name: 'transports',
  title: 'One message to all connections, over each transport',
  lead: (plan) =>
    `ServerChannel with everything that is on by default; a body of ${BODY_BYTES} bytes. One at a time: a message is posted ` +
    `when all connections have got the one before. Bursts: up to ${BURST_OUTSTANDING} messages are posted that not all have got, ` +
    'in a pipeline. A long-polling client polls again when it has read the answer to its poll. Figures are medians of ' +
    `${describeRounds(plan)}, all transports in turn within each. ${describeWarmUp(plan)}Latency is measured apart, at a steady rate.`,
  contenders: [
    createContender('websocket-json', 'WebSocket, JSON', {}),
    createContender('websocket-messagepack', 'WebSocket, MessagePack', messagePackClient),
    createContender('sse-json', 'server-sent events, JSON', { transport: 'server-sent-events' }),
    createContender('long-polling-json', 'long polling, JSON', { transport: 'long-polling' }),
    createContender('long-polling-messagepack', 'long polling, MessagePack', {
      transport: 'long-polling',
      ...messagePackClient,
    }),
  ],
  sizes: [1000],
  base: 'websocket-json',
  warmUpMessages: (plan) => plan.messagesToWarmUp,
  phasesOf: transportPhases,
  summaryOf: ({ phases: [, one, , burst] }) =>
    `${whole(one?.deliveriesPerServerCpuSecond ?? 0)} deliveries per CPU-second one at a time, ` +
    `${whole(burst?.deliveriesPerServerCpuSecond ?? 0)} in bursts`,
  figuresOf: (reports) => ({
    oneAtATime: throughputOf(reports, 1),
    burst: throughputOf(reports, 3),
    ...latencyOf(reports, 4),
    ...faultsOf(reports),
    rssBytesPerConnection: medianOf(reports, (report) => report.rssBytesPerConnection),
    payloadBytesPerDelivery: median(phaseFigures(reports, 1, (phase) => phase.payloadBytesPerDelivery)),
  }),
  columns: [
    { title: 'one at a time: deliveries per CPU-second (least – most)', cell: ({ oneAtATime }) => rate(oneAtATime) },
    { title: 'to WebSocket JSON', cell: ({ oneAtATime }, base) => ratio(oneAtATime, base?.oneAtATime) },
    { title: 'user µs per delivery', cell: ({ oneAtATime }) => oneAtATime.userMicroseconds.toFixed(2) },
    { title: 'bursts: deliveries per CPU-second (least – most)', cell: ({ burst }) => rate(burst) },
    { title: 'to WebSocket JSON', cell: ({ burst }, base) => ratio(burst, base?.burst) },
    { title: 'user µs per delivery', cell: ({ burst }) => burst.userMicroseconds.toFixed(2) },
    { title: 'p50 / p99 ms', cell: percentiles },
    { title: 'memory per idle connection', cell: ({ rssBytesPerConnection }) => kibibytes(rssBytesPerConnection) },
    {
      title: 'lost / doubled / out of order',
      cell: ({ lost, doubled, outOfOrder }) => `${lost} / ${doubled} / ${outOfOrder}`,
    },
  ],
  targets: [],
  note: (plan, connections) => `Latency at ${postsPerSecond(plan, connections)} posts a second.`,
  remark: ({ payloadBytesPerDelivery }) => ` (${Math.round(payloadBytesPerDelivery)} bytes a message)`,
  footer:
    'CPU-seconds are those of the server process with all its threads, user and system; for long polling they hold the ' +
    'requests too. Memory is the growth of the resident set by the open connections, before any message.',
})

function createContender(name: string, title: string, options: Partial<DriverOptions>): Contender {
  return {
    name,
    title,
    start: (core) => startNodeServer('serverchannel', core),
    driverOptions: (server) => ({
      ...channelClient,
      ...httpPost(server),
      postPipeline: BURST_OUTSTANDING,
      ...options,
    }),
  }
}
