import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { connect } from '@serverchannel/client'
import { createServerChannel, type ServerChannelOptions } from 'serverchannel'
import { WebSocket } from 'ws'
import { BODY_BYTES } from './contender.ts'
import { median } from './figures.ts'
import { markdownTable, whole } from './markdown.ts'
import { LINES_PER_REQUEST, postLines, REQUESTS_OUTSTANDING } from './store-lines.ts'
import { createLocalNode, machineMs, type StoreNode, startRemoteNode } from './store-node.ts'

/** A line of the table: where the log is kept. */
export interface StoreContender {
  readonly name: string
  readonly title: string
  /** The options that name the store; `folder` is empty, and gone afterwards. */
  readonly options: (folder: string) => ServerChannelOptions
  /** That post at the same time, each in a process of its own. Default 1. */
  readonly nodes?: number
}

export interface PostRate {
  /** Of all nodes together. */
  readonly perSecond: number
  /** Of all nodes' processes with all their threads, user and system. */
  readonly perCpuSecond: number
}

/** One round of one store. */
export interface StoreRound {
  /** By how many posts are outstanding at each node. */
  readonly rates: ReadonlyMap<number, PostRate>
  /** From the call that posts to the handler in a client on the same machine; of several nodes one posts, and another has the client. */
  readonly latencyP50Ms: number
  readonly latencyP99Ms: number
  /** Posted as NDJSON by HTTP, to one node, by a poster in the same process. */
  readonly linesPerSecond: number
}

export interface StoreRow {
  readonly store: string
  readonly title: string
  readonly rounds: readonly StoreRound[]
}

export const storeContenders: readonly StoreContender[] = [
  { name: 'memory', title: 'memory', options: () => ({ store: 'memory:' }) },
  {
    name: 'sqlite-logged',
    title: 'SQLite, `logged`',
    options: (folder) => ({ store: `sqlite:${join(folder, 'messages.db')}`, durability: 'logged' }),
  },
  {
    name: 'sqlite-synced',
    title: 'SQLite, `synced`',
    options: (folder) => ({ store: `sqlite:${join(folder, 'messages.db')}`, durability: 'synced' }),
  },
  // Only where one is named: it is not for the benchmark to fill a database that is somebody's.
  ...(process.env['BENCH_POSTGRES'] === undefined
    ? []
    : [{ name: 'postgres', title: 'PostgreSQL', options: () => ({ store: String(process.env['BENCH_POSTGRES']) }) }]),
]

const OUTSTANDING = [1, 64, 1000]
const LATENCY_POSTS_PER_SECOND = 200

/** All stores in turn within each round, so that what slows the machine down for a while slows all of them. */
export async function measureStores(
  contenders: readonly StoreContender[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  say: (text: string) => void,
): Promise<readonly StoreRow[]> {
  const rows = contenders.map(({ name, title }) => ({ store: name, title, rounds: [] as StoreRound[] }))
  for (let round = 1; round <= rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const measured = await measure(contender, seconds)
      rows[index]?.rounds.push(measured)
      const rates = [...measured.rates].map(([outstanding, { perSecond }]) => `${outstanding}: ${whole(perSecond)}/s`)
      const lines = `NDJSON: ${whole(measured.linesPerSecond)}/s`
      say(`stores, round ${round} of ${rounds}: ${contender.name} … ${[...rates, lines].join(', ')}\n`)
    }
  }
  return rows
}

export function storesMarkdown(rows: readonly StoreRow[]): string {
  const rate = ({ rounds }: StoreRow, outstanding: number, unit: keyof PostRate): number =>
    median(rounds.map(({ rates }) => rates.get(outstanding)?.[unit] ?? 0))
  const titles = [
    'store',
    ...OUTSTANDING.map((count) => `posts/s, ${count} outstanding`),
    '64 to 1',
    ...OUTSTANDING.map((count) => `posts per CPU-second, ${count} outstanding`),
    `messages/s as NDJSON, ${whole(LINES_PER_REQUEST)} in a request`,
    'post → handler p50 / p99 ms',
  ]
  const lines = rows.map((row) => [
    row.title,
    ...OUTSTANDING.map((count) => whole(rate(row, count, 'perSecond'))),
    (rate(row, 64, 'perSecond') / rate(row, 1, 'perSecond')).toFixed(1),
    ...OUTSTANDING.map((count) => whole(rate(row, count, 'perCpuSecond'))),
    whole(median(row.rounds.map((each) => each.linesPerSecond))),
    `${median(row.rounds.map((each) => each.latencyP50Ms)).toFixed(2)} / ${median(row.rounds.map((each) => each.latencyP99Ms)).toFixed(2)}`,
  ])
  return [
    '## Stores',
    '',
    `Posts in process, each awaited, so many outstanding at each node, bodies of ${BODY_BYTES} bytes, history at its defaults and full, no connections; NDJSON by HTTP, ${REQUESTS_OUTSTANDING} requests outstanding, to one node, from the same process; latency at ` +
      `${LATENCY_POSTS_PER_SECOND} posts a second to one client in the same process, or at another node than posts where there are several. Medians of ${rows[0]?.rounds.length ?? 0} rounds, all stores in turn.`,
    '',
    markdownTable(titles, lines),
  ].join('\n')
}

async function measure({ options, nodes: count = 1 }: StoreContender, seconds: number): Promise<StoreRound> {
  const folder = mkdtempSync(join(tmpdir(), 'serverchannel-bench-'))
  const channel = await createServerChannel({ development: true, ...options(folder) })
  const nodes = [createLocalNode(channel)]
  try {
    while (nodes.length < count) nodes.push(await startRemoteNode({ development: true, ...options(folder) }))
    // Until history is full, nothing of it is let go of: that would be half of the work.
    await postAtOnce(nodes, 1000, seconds)
    const rates = new Map<number, PostRate>()
    for (const outstanding of OUTSTANDING) rates.set(outstanding, await postAtOnce(nodes, outstanding, seconds))
    const { url } = await channel.listen()
    // The requests' code is not compiled yet.
    await postLines(url, seconds / 2)
    const linesPerSecond = await postLines(url, seconds)
    const poster = nodes.at(-1) ?? createLocalNode(channel)
    return { rates, linesPerSecond, ...(await measureLatency(url, poster, seconds)) }
  } finally {
    for (const node of nodes.reverse()) await node.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function postAtOnce(nodes: readonly StoreNode[], outstanding: number, seconds: number): Promise<PostRate> {
  const counts = await Promise.all(nodes.map((node) => node.postFor(outstanding, seconds)))
  const posted = counts.reduce((sum, each) => sum + each.posted, 0)
  const cpuMs = counts.reduce((sum, each) => sum + each.cpuMs, 0)
  const elapsedMs = Math.max(...counts.map((each) => each.elapsedMs))
  return { perSecond: (posted / elapsedMs) * 1000, perCpuSecond: (posted / cpuMs) * 1000 }
}

async function measureLatency(
  url: string,
  poster: StoreNode,
  seconds: number,
): Promise<{ readonly latencyP50Ms: number; readonly latencyP99Ms: number }> {
  const client = connect(`${url.replace('http', 'ws')}/msg`, {
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
  })
  const histogram = createHistogram()
  const count = Math.max(20, LATENCY_POSTS_PER_SECOND * seconds)
  let seen = 0
  const done = new Promise<void>((resolve) => {
    client.on('Latency', (postedAt: number) => {
      histogram.record(Math.max(1, Math.round((machineMs() - postedAt) * 1e6)))
      if (++seen === count) resolve()
    })
  })
  await client.ready()
  await poster.postSteadily(count, LATENCY_POSTS_PER_SECOND)
  await done
  await client.close()
  return { latencyP50Ms: histogram.percentile(50) / 1e6, latencyP99Ms: histogram.percentile(99) / 1e6 }
}
