import { echoedCalls, jsonCalls, messagePackCalls, socketIoCalls } from './call-forms.ts'
import { BODY_BYTES, channelClient, messagePackClient, socketIoClient } from './contender.ts'
import { type Faults, faultsOf, type Latency, latencyOf, type Throughput, throughputOf } from './figures.ts'
import { percentiles, rate, ratio, whole } from './markdown.ts'
import { CALLS_OUTSTANDING, callPhases, describeRounds } from './plan.ts'
import { startNodeServer } from './server-process.ts'
import { createTable, type Table } from './table.ts'

interface Figures extends Faults {
  one: Throughput & Latency
  several: Throughput & Latency
}

/** Clients call a method that returns its argument: our hubs beside Socket.IO's acknowledgements. */
export const invocationsTable: Table = createTable<Figures>({
  name: 'invocations',
  title: 'Hub invocations',
  lead: (plan) =>
    `Each client calls \`Echo\` with a text of ${BODY_BYTES} bytes, waits for the answer and calls again: with one call ` +
    `outstanding, and with ${CALLS_OUTSTANDING}. All clients call as fast as they are answered, so that latency is that of a ` +
    `server at its limit. Each answer is held against its call. Figures are medians of ${describeRounds(plan)}, all servers ` +
    'in turn within each.',
  contenders: [
    {
      name: 'hub-json',
      title: 'a hub of ServerChannel, JSON',
      start: (core) => startNodeServer('hub', core),
      driverOptions: () => ({ ...noSettling, ...hubClient, ...jsonCalls }),
    },
    {
      name: 'hub-messagepack',
      title: 'a hub of ServerChannel, MessagePack',
      start: (core) => startNodeServer('hub', core),
      driverOptions: () => ({ ...noSettling, ...hubClient, ...messagePackClient, ...messagePackCalls }),
    },
    {
      name: 'socket-io-ack',
      title: 'Socket.IO, a listener that calls its acknowledgement (what `emitWithAck` waits for), WebSocket only',
      start: (core) => startNodeServer('socket-io', core),
      driverOptions: () => ({ ...noSettling, ...socketIoClient, ...socketIoCalls }),
    },
    {
      name: 'ws-echo',
      title: '`ws`, each frame sent back as it came, nothing read: the floor of any server on `ws`',
      start: (core) => startNodeServer('ws-echo', core),
      driverOptions: () => ({ ...noSettling, path: '/', ...echoedCalls }),
    },
  ],
  sizes: [100, 1000],
  quickSizes: [100],
  base: 'hub-json',
  phasesOf: callPhases,
  summaryOf: ({ phases: [, one, several] }) =>
    `${whole(one?.deliveriesPerServerCpuSecond ?? 0)} invocations per CPU-second, ` +
    `${whole(several?.deliveriesPerServerCpuSecond ?? 0)} with ${CALLS_OUTSTANDING} outstanding`,
  figuresOf: (reports) => ({
    one: { ...throughputOf(reports, 1), ...latencyOf(reports, 1) },
    several: { ...throughputOf(reports, 2), ...latencyOf(reports, 2) },
    ...faultsOf(reports),
  }),
  columns: [
    { title: 'invocations per CPU-second (least – most)', cell: ({ one }) => rate(one) },
    { title: 'to hub JSON', cell: ({ one }, base) => ratio(one, base?.one) },
    { title: 'user µs per invocation', cell: ({ one }) => one.userMicroseconds.toFixed(2) },
    { title: 'p50 / p99 ms', cell: ({ one }) => percentiles(one) },
    { title: `${CALLS_OUTSTANDING} outstanding: invocations per CPU-second`, cell: ({ several }) => rate(several) },
    { title: 'to hub JSON', cell: ({ several }, base) => ratio(several, base?.several) },
    { title: 'user µs per invocation', cell: ({ several }) => several.userMicroseconds.toFixed(2) },
    { title: 'p50 / p99 ms', cell: ({ several }) => percentiles(several) },
    {
      title: 'lost / doubled / out of order / wrong',
      cell: ({ lost, doubled, outOfOrder, wrong }) => `${lost} / ${doubled} / ${outOfOrder} / ${wrong}`,
    },
  ],
  targets: [],
  note: (_, connections) =>
    `${whole(connections)} calls are under way at any time, or ${whole(connections * CALLS_OUTSTANDING)}.`,
  remark: () => '',
  footer:
    'CPU-seconds are those of the server process with all its threads, user and system. Calls that a client makes at the ' +
    'same time go out in one write, as they do where a client is busy.',
})

/** Memory is not measured here. */
const noSettling = { settleMs: 0 }
const hubClient = { ...channelClient, path: '/hub' }
