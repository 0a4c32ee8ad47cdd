import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type { AudienceInput } from '../src/channel/audience.ts'
import { range } from './channel-scene.ts'
import { JudgedClient, JudgedPoster } from './judged-client.ts'
import { serveChannel } from './served-channel.ts'
import { until } from './until.ts'

const KILLS = 5
const AUDIENCES: readonly AudienceInput[] = [
  'all',
  { users: 'user-1' },
  { groups: ['odd'] },
  { users: 'user-2', groups: 'even' },
]

it('loses nothing, doubles nothing and keeps the order while workers are killed', { timeout: 180_000 }, async () => {
  const { channel, url } = await serveChannel({
    workers: 2,
    // So that some of what is missed comes from the store, in the process that has it.
    tailCountMax: 50,
    authenticate: (request) => {
      const query = new URLSearchParams(request.url?.split('?')[1] ?? '')
      return { user: query.get('user') ?? 'none', groups: (query.get('groups') ?? '').split(',') }
    },
  })
  const poster = new JudgedPoster(channel)
  const clients = range(1, 20).map(
    (number) => new JudgedClient(poster.oracle, `user-${number % 3}`, [number % 2 ? 'odd' : 'even'], () => url),
  )
  onTestFinished(() => {
    for (const client of clients) client.close()
  })
  for (const client of clients) client.open()
  await until(() => channel.connectionCount === 20, 'all are there', 30_000)

  const killing = { isOver: false }
  let posted = 0
  const killed = (async () => {
    for (const kill of range(1, KILLS)) {
      await sleep(300)
      await until(() => channel.workerPids.length > 0, 'there is a worker', 30_000)
      const pids = channel.workerPids
      process.kill(pids[kill % pids.length] ?? 0, 'SIGKILL')
    }
    killing.isOver = true
  })()
  while (!killing.isOver) {
    for (const _ of range(1, 5)) await poster.post(channel, ++posted, AUDIENCES[posted % 4] ?? 'all')
    await sleep(2)
  }
  await killed
  for (const _ of range(1, 20)) await poster.post(channel, ++posted, 'all')
  await until(() => clients.every((client) => client.isComplete() || client.faults.length > 0), 'all have all', 60_000)

  // The first of each: what comes after a loss is wrong too.
  expect(
    clients.flatMap(({ faults: [first = ''], user, groups }) => (first ? [`${user} ${groups.join()}: ${first}`] : [])),
  ).toEqual([])
  // What was to be seen was seen: clients were cut off, came back, and none was told of a gap.
  expect(clients.filter(({ reconnects }) => reconnects > 0).length).toBeGreaterThan(5)
  expect(clients.some(({ ledger }) => ledger.recoveries > 0)).toBe(true)
  expect(clients.every(({ ledger }) => ledger.gaps === 0)).toBe(true)
  expect(posted).toBeGreaterThan(100)
})

it('lets no client wait whose socket was on its way to a worker that is killed', { timeout: 180_000 }, async () => {
  const { channel, url } = await serveChannel({ workers: 1 })
  const waiting = new Set<WebSocket>()
  let opened = 0
  const open = (): void => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/msg`)
    waiting.add(socket)
    socket.on('open', () => {
      opened++
      waiting.delete(socket)
    })
    socket.on('error', () => {})
    socket.on('close', () => waiting.delete(socket))
    onTestFinished(() => socket.terminate())
  }
  let pid = 0
  for (const _ of range(1, 4)) {
    await until(() => channel.workerPids.some((other) => other !== pid), 'there is a worker', 30_000)
    pid = channel.workerPids[0] ?? 0
    range(1, 60).forEach(open)
    const before = opened
    await until(() => opened > before + 3, 'some are open, and others on their way', 30_000)
    process.kill(pid, 'SIGKILL')
  }
  await until(() => waiting.size === 0, 'all were answered or cut off', 30_000)
})

it('ends its workers when the server is killed', { timeout: 90_000 }, async () => {
  const child = fork(fileURLToPath(new URL('worker-server.mjs', import.meta.url)), { execArgv: [] })
  const [pids] = (await once(child, 'message')) as [number[]]
  child.kill('SIGKILL')
  await until(() => pids.every((pid) => !isThere(pid)), 'the workers are gone', 30_000)
})

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
