import { limits } from 'serverchannel'
import { aroundBody, type Contender, channelClient, httpPost } from './contender.ts'
import type { DriverOptions, DriverReport, PhaseReport } from './driver.ts'
import { type Faults, faultsOf, type Latency, latencyOf, median, medianOf, phaseFigures } from './figures.ts'
import { mebibytes, percentiles, whole } from './markdown.ts'
import { describeRounds, times } from './plan.ts'
import { startNodeServer } from './server-process.ts'
import { createTable, type Table } from './table.ts'
import { quotient } from './targets.ts'

interface Figures extends Latency, Faults {
  rssPeakBytes: number
  rssBoundBytes: number
  catchUpSeconds: number
  returns: number
  replaced: number
  gaps: number
  gone: number
  unfinished: number
}

const ALONE = 'healthy-alone'
const BESIDE = 'beside-slow'
const BESIDE_KEYED = 'beside-slow-keyed'

const BODY_BYTES = 1000
/** With our envelope. */
const MESSAGE_BYTES = 1164
const OFFERED_BYTES_PER_SECOND = 50_000_000
const KEYS = 50

/** What readers that do not read do to the memory and to the others, and whether they get everything in the end. */
export const slowReadersTable: Table = createTable<Figures>({
  name: 'slow-readers',
  title: 'Readers that do not read',
  lead: (plan) =>
    `Half of the connections read nothing for ${plan.slowSeconds} s, in which messages to all with a body of ${BODY_BYTES} bytes ` +
    `are posted at ${whole(OFFERED_BYTES_PER_SECOND / 1e6)} MB a second in all; then they read again. Each of them has to get ` +
    `every message, or the newest of each of the ${KEYS} keys where messages have keys; one that the server has closed comes ` +
    `back with its position. ${ALONE}: the same without the slow half. Figures are medians of ${describeRounds(plan)}.`,
  contenders: [
    reading(ALONE, 'no slow readers', (connections) => ({ connections: healthyOf(connections) })),
    reading(BESIDE, 'as many slow readers as healthy ones', (connections) => ({ slow: slowOf(connections) })),
    reading(BESIDE_KEYED, `the same, and messages have ${KEYS} keys in turn`, (connections) => ({
      slow: slowOf(connections),
      keys: KEYS,
      ...aroundBody((body) => JSON.stringify({ sender: 'bench', key: '{key}', body })),
    })),
  ],
  sizes: [1000],
  quickSizes: [200],
  base: ALONE,
  phasesOf: (plan, connections, server) => [
    `burst:${times(plan.deliveriesToWarmUp / 2, connections)}:1`,
    // Without slow ones there is nothing that builds up.
    `slow:${perSecond(connections)}:${server === ALONE ? plan.slowSeconds / 3 : plan.slowSeconds}`,
  ],
  summaryOf: ({ phases: [, slow] }) =>
    `p99 ${slow?.latencyP99Ms ?? 0} ms, all had everything ${slow?.returnSeconds ?? 0} s later`,
  figuresOf: (reports) => {
    const of = (pick: (phase: PhaseReport) => number): number => median(phaseFigures(reports, 1, pick))
    return {
      ...latencyOf(reports, 1),
      ...faultsOf(reports),
      rssPeakBytes: of(({ serverRssPeakBytes }) => serverRssPeakBytes),
      rssBoundBytes: medianOf(reports, rssBound),
      catchUpSeconds: of(({ returnSeconds }) => returnSeconds),
      returns: of(({ returns }) => returns),
      replaced: of(({ replaced }) => replaced),
      gaps: of(({ gaps }) => gaps),
      gone: of(({ gone }) => gone),
      unfinished: Math.max(...phaseFigures(reports, 1, ({ unfinished }) => unfinished)),
    }
  },
  columns: [
    { title: 'healthy: p50 / p99 ms', cell: percentiles },
    { title: 'memory at its most', cell: ({ rssPeakBytes }) => mebibytes(rssPeakBytes) },
    { title: 'bound by the options', cell: ({ rssBoundBytes }) => mebibytes(rssBoundBytes) },
    { title: 'all have everything after', cell: ({ catchUpSeconds }) => `${catchUpSeconds.toFixed(2)} s` },
    { title: 'closed and back', cell: ({ returns }) => whole(returns) },
    { title: 'replaced by newer ones', cell: ({ replaced }) => whole(replaced) },
    { title: 'told of a gap', cell: ({ gaps }) => whole(gaps) },
    {
      title: 'lost / doubled / out of order',
      cell: ({ lost, doubled, outOfOrder }) => `${lost} / ${doubled} / ${outOfOrder}`,
    },
  ],
  targets: [
    {
      what: 'p99 of healthy readers beside slow ones to that without them',
      atMost: 1.25,
      value: (measured, size) =>
        quotient(measured.of(BESIDE, size)?.latencyP99Ms, measured.of(ALONE, size)?.latencyP99Ms),
    },
    {
      what: 'memory at its most to its bound',
      atMost: 1,
      value: (measured, size) =>
        quotient(measured.of(BESIDE, size)?.rssPeakBytes, measured.of(BESIDE, size)?.rssBoundBytes),
    },
    {
      what: 'slow readers without all that is theirs',
      atMost: 0,
      value: (measured, size) => measured.of(BESIDE, size)?.unfinished,
    },
    {
      what: 'slow readers without the newest of each key',
      atMost: 0,
      value: (measured, size) => measured.of(BESIDE_KEYED, size)?.unfinished,
    },
  ],
  note: (_, connections) => `${whole(slowOf(connections))} of them slow, ${perSecond(connections)} posts a second.`,
  remark: () => '',
  footer:
    'The bound: the resident set before the first message, and what the options allow to be held: tailBytesMax + ' +
    'historyBytesMax + highWaterMarkBytes × connections. Slow clients have small receive buffers and segments of 1,448 ' +
    'bytes, as far away, so that what they do not read waits in the server and not in the kernel.',
})

function reading(name: string, title: string, options: (connections: number) => Partial<DriverOptions>): Contender {
  return {
    name,
    title,
    start: (core) => startNodeServer('serverchannel', core),
    driverOptions: (server, connections) => ({
      ...channelClient,
      ...httpPost(server),
      keepsPosition: 'yes',
      payloadBytes: BODY_BYTES,
      postPipeline: 4,
      stallMs: 20_000,
      ...options(connections),
    }),
  }
}

function slowOf(connections: number): number {
  return Math.floor(connections / 2)
}

function healthyOf(connections: number): number {
  return connections - slowOf(connections)
}

/** Whole posts, the same with and without slow readers. */
function perSecond(connections: number): number {
  return Math.max(1, Math.round(OFFERED_BYTES_PER_SECOND / MESSAGE_BYTES / connections))
}

function rssBound({ rssIdleBytes, connections }: DriverReport): number {
  const { tailBytesMax, historyBytesMax, highWaterMarkBytes } = limits
  return rssIdleBytes + tailBytesMax.default + historyBytesMax.default + highWaterMarkBytes.default * connections
}
