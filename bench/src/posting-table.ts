import { aroundBody, type Contender } from './contender.ts'
import type { DriverOptions } from './driver.ts'
import { median, phaseFigures } from './figures.ts'
import { short } from './markdown.ts'
import { describeRounds } from './plan.ts'
import { startNodeServer } from './server-process.ts'
import { POSTS_PER_REQUEST } from './servers/in-process-posts.ts'
import { createTable, type Table } from './table.ts'

interface Figures {
  postsPerCpuSecond: number
  postsPerCpuSecondLeast: number
  postsPerCpuSecondMost: number
}

const IN_PROCESS = 'in-process'
const SINGLE = 'http-single'
const LINES = 'http-ndjson'
const LINES_PER_REQUEST = 1000
const REQUESTS_OUTSTANDING = 16

/** What a post costs until it is in the log, with nobody to deliver it to. */
export const postingTable: Table = createTable<Figures>({
  name: 'posting',
  title: 'Posting into the log',
  lead: (plan) =>
    'Memory store, no connections, bodies of 100 bytes; every post is answered with its position, and the answers are ' +
    `counted. Figures are medians of ${describeRounds(plan)}.`,
  contenders: [
    posting(IN_PROCESS, 'in process: `channel.postMessageToAll`, 64 at a time, each awaited', 'in-process', {}),
    posting(
      SINGLE,
      `by HTTP, a message in a request, ${REQUESTS_OUTSTANDING} requests in a pipeline`,
      'serverchannel',
      {
        postPipeline: REQUESTS_OUTSTANDING,
      },
    ),
    posting(LINES, `by HTTP as NDJSON, ${LINES_PER_REQUEST} messages in a request`, 'serverchannel', {
      postBatch: LINES_PER_REQUEST,
      postType: 'application/x-ndjson',
      postPipeline: 2,
    }),
  ],
  sizes: [0],
  hasFixedSizes: true,
  base: IN_PROCESS,
  phasesOf: ({ inProcessRequests, singlePosts, linePosts }, _, server) => {
    if (server === IN_PROCESS) return [`posts:${inProcessRequests / 3}:1`, `posts:${inProcessRequests}:1`]
    if (server === SINGLE) return both(singlePosts, REQUESTS_OUTSTANDING)
    return both(linePosts, 2)
  },
  summaryOf: ({ phases: [, measured] }) =>
    `${measured?.posted ?? 0} posts in ${(measured?.serverCpuSeconds ?? 0).toFixed(2)} s of the server's CPU`,
  figuresOf: (reports, server) => {
    const messages = server === IN_PROCESS ? POSTS_PER_REQUEST : 1
    const rates = phaseFigures(reports, 1, ({ posted, serverCpuSeconds }) => (posted * messages) / serverCpuSeconds)
    return {
      postsPerCpuSecond: median(rates),
      postsPerCpuSecondLeast: Math.min(...rates),
      postsPerCpuSecondMost: Math.max(...rates),
    }
  },
  columns: [
    {
      title: 'posts per CPU-second (least – most)',
      cell: ({ postsPerCpuSecond, postsPerCpuSecondLeast, postsPerCpuSecondMost }) =>
        `${short(postsPerCpuSecond)} (${short(postsPerCpuSecondLeast)} – ${short(postsPerCpuSecondMost)})`,
    },
    {
      title: 'µs per post',
      cell: ({ postsPerCpuSecond }) => (1e6 / postsPerCpuSecond).toFixed(2),
    },
  ],
  targets: [
    {
      what: 'posts per CPU-second in process',
      atLeast: 300_000,
      value: (measured) => measured.of(IN_PROCESS, 0)?.postsPerCpuSecond,
    },
    {
      what: 'posts per CPU-second by HTTP as NDJSON',
      atLeast: 50_000,
      value: (measured) => measured.of(LINES, 0)?.postsPerCpuSecond,
    },
  ],
  note: () => '',
  remark: () => '',
  footer:
    'CPU-seconds are those of the server process with all its threads, user and system, the HTTP requests among them.',
})

function posting(name: string, title: string, server: string, options: Partial<DriverOptions>): Contender {
  return {
    name,
    title,
    start: (core) => startNodeServer(server, core),
    driverOptions: ({ postPort }) => ({
      postHttp: postPort,
      // What the server posts in process is not in the request.
      ...aroundBody((body) => JSON.stringify({ sender: 'bench', body })),
      settleMs: 0,
      stallMs: 20_000,
      ...options,
    }),
  }
}

/** A fifth to warm up, then all. */
function both(messages: number, outstanding: number): readonly string[] {
  return [`posts:${messages / 5}:${outstanding}`, `posts:${messages}:${outstanding}`]
}
