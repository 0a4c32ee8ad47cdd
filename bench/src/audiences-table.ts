import { aroundBody, type Contender, channelClient } from './contender.ts'
import { type Faults, faultsOf, median, phaseFigures } from './figures.ts'
import { whole } from './markdown.ts'
import { describeRounds, type Plan } from './plan.ts'
import { startNodeServer } from './server-process.ts'
import { AUDIENCES, GROUP, GROUP_SIZE, userName } from './servers/audience-names.ts'
import { createTable, type Measured, type Table } from './table.ts'
import { quotient } from './targets.ts'

interface Figures extends Faults {
  microsecondsPerPost: number
  microsecondsLeast: number
  microsecondsMost: number
}

const ONE_USER = 'one-user'
const ONE_GROUP = 'group-of-100'
const OUTSTANDING = 8

/** What a post to a few costs, however many others there are. */
export const audiencesTable: Table = createTable<Figures>({
  name: 'audiences',
  title: 'Messages to a user and to a group',
  lead: (plan) =>
    `${whole(AUDIENCES)} groups are registered in all, besides a user for each connection. Messages are posted by HTTP to ` +
    `one user, or to a group of ${GROUP_SIZE}, and each connection is checked: those that they are for get all of them, the ` +
    `others none. Figures are medians of ${describeRounds(plan)}.`,
  contenders: [
    audience(ONE_USER, 'to one user', { users: [userName(0)] }, 1),
    audience(ONE_GROUP, `to a group of ${GROUP_SIZE}`, { groups: [GROUP] }, GROUP_SIZE),
  ],
  sizes: [1000, 10_000],
  quickSizes: [200, 1000],
  base: ONE_USER,
  phasesOf: (plan, _, server) => [`burst:${posts(plan, server) / 4}:1`, `burst:${posts(plan, server)}:${OUTSTANDING}`],
  summaryOf: ({ phases: [, burst] }) =>
    `${(((burst?.serverCpuSeconds ?? 0) / (burst?.posted || 1)) * 1e6).toFixed(1)} µs of the server's CPU per post`,
  figuresOf: (reports) => {
    const costs = phaseFigures(reports, 1, ({ serverCpuSeconds, posted }) => (serverCpuSeconds / posted) * 1e6)
    return {
      microsecondsPerPost: median(costs),
      microsecondsLeast: Math.min(...costs),
      microsecondsMost: Math.max(...costs),
      ...faultsOf(reports),
    }
  },
  columns: [
    {
      title: "µs of the server's CPU per post (least – most)",
      cell: ({ microsecondsPerPost, microsecondsLeast, microsecondsMost }) =>
        `${microsecondsPerPost.toFixed(1)} (${microsecondsLeast.toFixed(1)} – ${microsecondsMost.toFixed(1)})`,
    },
    {
      title: 'lost / doubled / out of order or for others',
      cell: ({ lost, doubled, outOfOrder }) => `${lost} / ${doubled} / ${outOfOrder}`,
    },
  ],
  targets: [
    {
      what: 'to one user: cost with the most connections to that with the fewest',
      atMost: 1.1,
      value: growth(ONE_USER),
    },
    {
      what: 'to a group: cost with the most connections to that with the fewest',
      atMost: 1.1,
      value: growth(ONE_GROUP),
    },
  ],
  note: () => `Up to ${OUTSTANDING} messages outstanding.`,
  remark: () => '',
  footer: 'The HTTP request is in the cost.',
})

function audience(name: string, title: string, to: object, receivers: number): Contender {
  return {
    name,
    title,
    start: (core) => startNodeServer('audiences', core),
    driverOptions: ({ postPort }, connections) => ({
      ...channelClient,
      path: `/msg?n={n}&groups=${Math.floor(AUDIENCES / connections)}`,
      postHttp: postPort,
      postPipeline: OUTSTANDING,
      receivers: Math.min(receivers, connections),
      settleMs: 0,
      ...aroundBody((body) => JSON.stringify({ sender: 'bench', to, body })),
    }),
  }
}

function posts({ postsToOne, postsToGroup }: Plan, server: string): number {
  return server === ONE_USER ? postsToOne : postsToGroup
}

/** Only at the largest number of connections, and where there are two. */
function growth(server: string): (measured: Measured<Figures>, connections: number) => number | undefined {
  return (measured, connections) => {
    const fewest = Math.min(...measured.sizes)
    if (connections === fewest || connections !== Math.max(...measured.sizes)) return undefined
    return quotient(
      measured.of(server, connections)?.microsecondsPerPost,
      measured.of(server, fewest)?.microsecondsPerPost,
    )
  }
}
