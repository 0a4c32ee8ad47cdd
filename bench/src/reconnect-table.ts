import { channelClient, httpPost } from './contender.ts'
import type { PhaseReport } from './driver.ts'
import { type Faults, faultsOf, median, phaseFigures } from './figures.ts'
import { milliseconds, whole } from './markdown.ts'
import { describeRounds, times } from './plan.ts'
import { startNodeServer } from './server-process.ts'
import { createTable, type Table } from './table.ts'

interface Figures extends Faults {
  returnSeconds: number
  returns: number
  returnTries: number
  gaps: number
  unfinished: number
  serverCpuSeconds: number
  postP50Ms: number
  postP99Ms: number
  postMaxMs: number
}

const OURS = 'serverchannel'
const MISSED = 100
/** Deliveries a second that the posts during the return make, so that they alone do not fill the server. */
const DELIVERIES_PER_SECOND = 20_000

/** All clients are cut off at once, and all come back with their position. */
export const reconnectTable: Table = createTable<Figures>({
  name: 'reconnect',
  title: 'All clients come back at once',
  lead: (plan) =>
    `All connections are cut at once, ${MISSED} messages are posted, and then all clients connect at the same time, each with ` +
    'its position, while messages are posted to all at a steady rate. Each client has to get what it missed and what ' +
    `came since, each message once and in order. Figures are medians of ${describeRounds(plan)}.`,
  contenders: [
    {
      name: OURS,
      title: 'ServerChannel: memory store, history, everything that is on by default',
      start: (core) => startNodeServer('serverchannel', core),
      driverOptions: (server) => ({
        ...channelClient,
        ...httpPost(server),
        keepsPosition: 'yes',
        settleMs: 0,
        postPipeline: 16,
        stallMs: 20_000,
      }),
    },
  ],
  sizes: [10_000],
  quickSizes: [1000],
  base: OURS,
  phasesOf: (plan, connections) => [
    `burst:${times(plan.deliveriesToWarmUp, connections)}:1`,
    `cut:${MISSED}:${perSecond(connections)}`,
  ],
  summaryOf: ({ phases: [, cut] }) => `${(cut?.returnSeconds ?? 0).toFixed(2)} s`,
  figuresOf: (reports) => {
    const of = (pick: (phase: PhaseReport) => number): number => median(phaseFigures(reports, 1, pick))
    return {
      returnSeconds: of(({ returnSeconds }) => returnSeconds),
      returns: of(({ returns }) => returns),
      returnTries: of(({ returnTries }) => returnTries),
      gaps: of(({ gaps }) => gaps),
      unfinished: Math.max(...phaseFigures(reports, 1, ({ unfinished }) => unfinished)),
      serverCpuSeconds: of(({ serverCpuSeconds }) => serverCpuSeconds),
      postP50Ms: of(({ answerP50Ms }) => answerP50Ms),
      postP99Ms: of(({ answerP99Ms }) => answerP99Ms),
      postMaxMs: of(({ answerMaxMs }) => answerMaxMs),
      ...faultsOf(reports),
    }
  },
  columns: [
    { title: 'all complete after', cell: ({ returnSeconds }) => `${returnSeconds.toFixed(2)} s` },
    { title: "the server's CPU", cell: ({ serverCpuSeconds }) => `${serverCpuSeconds.toFixed(2)} s` },
    {
      title: 'a post meanwhile: p50 / p99 / longest ms',
      cell: ({ postP50Ms, postP99Ms, postMaxMs }) => [postP50Ms, postP99Ms, postMaxMs].map(milliseconds).join(' / '),
    },
    {
      title: 'came back (in so many tries)',
      cell: ({ returns, returnTries }) => `${whole(returns)} (${whole(returnTries)})`,
    },
    { title: 'told of a gap', cell: ({ gaps }) => whole(gaps) },
    {
      title: 'lost / doubled / out of order',
      cell: ({ lost, doubled, outOfOrder }) => `${lost} / ${doubled} / ${outOfOrder}`,
    },
  ],
  targets: [
    {
      what: 'clients without all that is theirs, or told of a gap',
      atMost: 0,
      value: (measured, size) => {
        const figures = measured.of(OURS, size)
        return figures && figures.unfinished + figures.gaps
      },
    },
    {
      what: 'p99 ms of a post meanwhile',
      atMost: 100,
      value: (measured, size) => measured.of(OURS, size)?.postP99Ms,
    },
  ],
  note: (_, connections) => `${perSecond(connections)} posts a second while they come back.`,
  remark: () => '',
  footer:
    'From the moment at which the first client connects again until the last has everything. The driver begins as fast as it ' +
    'can, with its posts and their answers between; whom the kernel has no room for it makes ask again after a second.',
})

function perSecond(connections: number): number {
  return Math.max(2, Math.round(DELIVERIES_PER_SECOND / connections))
}
