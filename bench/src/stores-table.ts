import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { connect } from '@serverchannel/client'
import { createServerChannel, type ServerChannel, type ServerChannelOptions } from 'serverchannel'
import { WebSocket } from 'ws'
import { BODY_BYTES } from './contender.ts'
import { median } from './figures.ts'
import { markdownTable, whole } from './markdown.ts'

/** A line of the table: where the log is kept. */
export interface StoreContender {
  readonly name: string
  readonly title: string
  /** The options that name the store; `folder` is empty, and gone afterwards. */
  readonly options: (folder: string) => ServerChannelOptions
}

export interface PostRate {
  readonly perSecond: number
  /** Of the process with all its threads, user and system. */
  readonly perCpuSecond: number
}

/** One round of one store. */
export interface StoreRound {
  /** By how many posts are outstanding. */
  readonly rates: ReadonlyMap<number, PostRate>
  /** From the call that posts to the handler in a client on the same machine. */
  readonly latencyP50Ms: number
  readonly latencyP99Ms: number
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
const BODY = 'x'.repeat(BODY_BYTES)

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
      say(`stores, round ${round} of ${rounds}: ${contender.name} … ${rates.join(', ')}\n`)
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
    'post → handler p50 / p99 ms',
  ]
  const lines = rows.map((row) => [
    row.title,
    ...OUTSTANDING.map((count) => whole(rate(row, count, 'perSecond'))),
    (rate(row, 64, 'perSecond') / rate(row, 1, 'perSecond')).toFixed(1),
    ...OUTSTANDING.map((count) => whole(rate(row, count, 'perCpuSecond'))),
    `${median(row.rounds.map((each) => each.latencyP50Ms)).toFixed(2)} / ${median(row.rounds.map((each) => each.latencyP99Ms)).toFixed(2)}`,
  ])
  return [
    '## Stores',
    '',
    `Posts in process, each awaited, bodies of ${BODY_BYTES} bytes, history at its defaults and full, no connections; latency at ` +
      `${LATENCY_POSTS_PER_SECOND} posts a second to one client in the same process. Medians of ${rows[0]?.rounds.length ?? 0} rounds, all stores in turn.`,
    '',
    markdownTable(titles, lines),
  ].join('\n')
}

async function measure({ options }: StoreContender, seconds: number): Promise<StoreRound> {
  const folder = mkdtempSync(join(tmpdir(), 'serverchannel-bench-'))
  const channel = await createServerChannel({ development: true, ...options(folder) })
  try {
    // Until history is full, nothing of it is let go of: that would be half of the work.
    await postFor(channel, 1000, seconds)
    const rates = new Map<number, PostRate>()
    for (const outstanding of OUTSTANDING) rates.set(outstanding, await postFor(channel, outstanding, seconds))
    return { rates, ...(await measureLatency(channel, seconds)) }
  } finally {
    await channel.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function postFor(channel: ServerChannel, outstanding: number, seconds: number): Promise<PostRate> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  const end = start + seconds * 1000
  let posted = 0
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      await channel.postMessageToAll('Bench', BODY)
      // A store that answers in the same turn would not let the clock of anything else run.
      if (++posted % TURN_POSTS === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await Promise.all(Array.from({ length: outstanding }, lane))
  const perSecond = (posted / (performance.now() - start)) * 1000
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond, perCpuSecond: (posted / (user + system)) * 1e6 }
}

const TURN_POSTS = 500

async function measureLatency(
  channel: ServerChannel,
  seconds: number,
): Promise<{ readonly latencyP50Ms: number; readonly latencyP99Ms: number }> {
  const { url } = await channel.listen()
  const client = connect(`${url.replace('http', 'ws')}/msg`, {
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
  })
  const histogram = createHistogram()
  const count = Math.max(20, LATENCY_POSTS_PER_SECOND * seconds)
  let seen = 0
  const done = new Promise<void>((resolve) => {
    client.on('Latency', (postedAt: number) => {
      histogram.record(Math.max(1, Math.round((performance.now() - postedAt) * 1e6)))
      if (++seen === count) resolve()
    })
  })
  await client.ready()
  for (let number = 0; number < count; number++) {
    // Nobody waits for it here: the next one is due.
    channel.postMessageToAll('Latency', performance.now())
    await new Promise((resolve) => setTimeout(resolve, 1000 / LATENCY_POSTS_PER_SECOND))
  }
  await done
  await client.close()
  return { latencyP50Ms: histogram.percentile(50) / 1e6, latencyP99Ms: histogram.percentile(99) / 1e6 }
}
