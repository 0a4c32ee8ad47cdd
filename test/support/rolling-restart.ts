import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { HubConnectionBuilder, HubConnectionState, LogLevel } from '@microsoft/signalr'
import { connect } from '@serverchannel/client'
import { expect, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../packages/server/test/until.ts'
import { AlternatingProxy } from './alternating-proxy.ts'
import { ClusterNode, type ClusterNodeOptions } from './cluster-process.ts'
import { freePort } from './redis-process.ts'

const POSTS_PER_SECOND = 500
const TICK_MS = 10
const STOP_MS_MAX = 10_000

/** Each node is restarted so many times. `RESTARTS=100 npx vitest run test/interop/rolling-restart.test.ts` */
const rounds = Number(process.env['RESTARTS'] ?? 1)

/** How long the test may take. */
export const ROLLING_RESTART_MS_MAX: number = 60_000 + rounds * 60_000

/** Three nodes on one log, and a proxy before them that takes turns. */
export async function startNodes(
  log: Pick<ClusterNodeOptions, 'store' | 'logPort' | 'workers'>,
): Promise<{ nodes: readonly ClusterNode[]; url: string }> {
  const ports = await Promise.all(Array.from({ length: 3 }, freePort))
  const nodes = ports.map((port, index) => new ClusterNode({ name: `node-${index}`, port, ...log }))
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')))
  })
  await Promise.all(nodes.map((node) => node.start()))
  const proxy = new AlternatingProxy(ports)
  const url = await proxy.listen()
  onTestFinished(() => proxy.close())
  return { nodes, url }
}

/** Posts numbers to whichever node takes them, each again with the same id until one did. */
class Poster {
  readonly posted: number[] = []
  readonly #nodes: readonly ClusterNode[]
  #number = 0
  #isStopped = false

  constructor(nodes: readonly ClusterNode[]) {
    this.#nodes = nodes
  }

  async run(): Promise<void> {
    const under: Promise<void>[] = []
    const startedAt = performance.now()
    while (!this.#isStopped) {
      const due = ((performance.now() - startedAt) / 1000) * POSTS_PER_SECOND
      const lines: string[] = []
      while (this.#number < due) {
        lines.push(JSON.stringify({ sender: 'Number', body: ++this.#number, id: randomUUID() }))
        this.posted.push(this.#number)
      }
      if (lines.length > 0) under.push(this.#post(lines.join('\n')))
      await sleep(TICK_MS)
    }
    await Promise.all(under)
  }

  stop(): void {
    this.#isStopped = true
  }

  async #post(body: string): Promise<void> {
    for (let turn = this.#number; ; turn++) {
      const node = this.#nodes[turn % this.#nodes.length]
      try {
        const headers = { 'Content-Type': 'application/x-ndjson' }
        const response = await fetch(`${node?.url}/api/messages`, { method: 'POST', headers, body })
        await response.text()
        if (response.ok) return
      } catch {
        // The node is not there: the next one is asked.
      }
      await sleep(5)
    }
  }
}

function openOwn(url: string) {
  const channel = connect(`${url.replace('http', 'ws')}/msg`, {
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
  })
  onTestFinished(() => channel.close())
  const got: number[] = []
  const gaps: unknown[] = []
  channel.on('Number', (body) => got.push(body as number))
  channel.onGap((gap) => gaps.push(gap))
  return { channel, got, gaps }
}

function openStock(url: string) {
  const connection = new HubConnectionBuilder()
    .withUrl(`${url}/msg`)
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 50 })
    .configureLogging(LogLevel.None)
    .build()
  onTestFinished(() => connection.stop())
  const got: number[] = []
  let reconnects = 0
  connection.on('ServerMessage', (message: { Body: number }) => got.push(message.Body))
  connection.onreconnected(() => void reconnects++)
  return { connection, got, reconnects: () => reconnects }
}

/** Restarts the nodes in turn while there are posts, and judges what own and stock clients got. */
export async function restartInTurn(nodes: readonly ClusterNode[], url: string): Promise<void> {
  const own = Array.from({ length: 12 }, () => openOwn(url))
  const stock = Array.from({ length: 6 }, () => openStock(url))
  await Promise.all([
    ...own.map(({ channel }) => channel.ready()),
    ...stock.map(({ connection }) => connection.start()),
  ])
  const poster = new Poster(nodes)
  const posting = poster.run()
  const stops: number[] = []
  for (const node of Array.from({ length: rounds }, () => nodes).flat()) {
    await sleep(500)
    stops.push(await node.stop())
    await node.start()
  }
  await sleep(500)
  poster.stop()
  await posting
  const count = poster.posted.length
  await until(() => own.every(({ got }) => got.length >= count), 'own clients have all', 20_000)
  const [first] = own
  for (const { got, gaps } of own) {
    expect(gaps).toEqual([])
    expect(got.toSorted((a, b) => a - b)).toEqual(poster.posted)
    // One order for all.
    expect(got).toEqual(first?.got)
  }
  await until(
    () => stock.every(({ connection }) => connection.state === HubConnectionState.Connected),
    'stock clients are back',
    10_000,
  )
  for (const { got } of stock) expect(new Set(got).size).toBe(got.length)
  expect(stock.some(({ reconnects }) => reconnects() > 0)).toBe(true)
  expect(Math.max(...stops)).toBeLessThan(STOP_MS_MAX)
  for (const node of nodes) expect((await node.state()).nodeCount).toBe(3)
}
