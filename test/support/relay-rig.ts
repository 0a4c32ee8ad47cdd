import { type Channel, connect } from '@serverchannel/client'
import { expect, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../packages/server/test/until.ts'
import { KillableServer, type PlainOptions } from './kill-server.ts'

export const CATCH_UP_MS_MAX = 60_000
const WRITERS = [0, 1, 2]

/** What a page of one of the servers got. */
export interface Heard {
  readonly channel: Channel
  readonly bodies: number[]
  readonly gaps: unknown[]
}

/** A connection to the database that transactions post in. */
export interface WriterSession {
  /** One transaction: writes number and writer into `truth`, posts the number, and commits, or rolls back. */
  transact(n: number, writer: number, isUndone: boolean): Promise<void>
  /** After an error too. */
  drop(): void
}

export interface RelayRig {
  /** Of both servers. */
  readonly options: PlainOptions
  readonly kills: number
  connect(): Promise<WriterSession>
  /** Kills the database -9, and starts it again. */
  restartEngine(): Promise<void>
  /** What was committed, in whatever order. */
  truth(): Promise<readonly { readonly n: number; readonly writer: number }[]>
}

/** Two servers whose relays, and the database that they take from, are killed -9 in turn while three writers commit. */
export async function judgeKilledRelays(rig: RelayRig): Promise<void> {
  const { servers, heard } = await startServers(rig.options)
  const writing = { isOver: false, next: 0 }
  const writers = WRITERS.map((writer) => write(rig, writer, writing))
  for (let kill = 0; kill < rig.kills; kill++) {
    const from = writing.next
    await until(() => writing.next > from + 10, 'something was written', CATCH_UP_MS_MAX)
    const server = servers[kill % 2]
    if (kill % 4 === 3) await rig.restartEngine()
    else {
      await server?.kill()
      await server?.start()
    }
  }
  writing.isOver = true
  await Promise.all(writers)
  const truth = await rig.truth()
  await judgeHeard(heard, truth)
  console.log(`relays: ${truth.length} of ${writing.next} transactions were committed`)
  expect(truth.length).toBeGreaterThan(10 * rig.kills)
}

/** Two, with a page of each. They end with the test. */
export async function startServers(options: PlainOptions): Promise<{ servers: KillableServer[]; heard: Heard[] }> {
  const servers = await Promise.all([KillableServer.start(options), KillableServer.start(options)])
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.close()))))
  const heard = servers.map((server) => listen(server))
  await Promise.all(heard.map(({ channel }) => channel.ready()))
  return { servers, heard }
}

/** All pages have all that was committed, once, in one order, which is each writer's own. */
export async function judgeHeard(
  heard: readonly Heard[],
  rows: readonly { readonly n: number; readonly writer: number }[],
): Promise<void> {
  const truth = new Map(rows.map(({ n, writer }) => [n, writer]))
  for (const { bodies, gaps } of heard) {
    await until(() => bodies.length >= truth.size, `${truth.size} messages have come`, CATCH_UP_MS_MAX)
    expect(gaps).toEqual([])
    expect(bodies.toSorted((a, b) => a - b)).toEqual([...truth.keys()].sort((a, b) => a - b))
    // Each writer commits one after the other.
    for (const writer of WRITERS) {
      const own = bodies.filter((n) => truth.get(n) === writer)
      expect(own).toEqual(own.toSorted((a, b) => a - b))
    }
    expect(bodies).toEqual(heard[0]?.bodies)
  }
}

/** One transaction after the other, over connections that are lost. */
async function write(rig: RelayRig, writer: number, writing: { isOver: boolean; next: number }): Promise<void> {
  let session: WriterSession | undefined
  while (!writing.isOver) {
    try {
      session ??= await rig.connect()
      const n = writing.next++
      await session.transact(n, writer, n % 7 === 0)
    } catch {
      // Whether it was committed, the table says.
      session?.drop()
      session = undefined
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  session?.drop()
}

function listen(server: KillableServer): Heard {
  const channel = connect(`${server.url.replace('http', 'ws')}/msg`, {
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    reconnectDelayMs: 40,
    reconnectDelayMsMax: 80,
  })
  onTestFinished(() => channel.close())
  const bodies: number[] = []
  const gaps: unknown[] = []
  channel.onMessage(({ Body }) => bodies.push(Number(Body)))
  channel.onGap((gap) => gaps.push(gap))
  return { channel, bodies, gaps }
}
