import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { burstsTable } from '../bench/src/bursts-table.ts'
import { problemOf } from '../bench/src/driver.ts'
import { readFlags } from '../bench/src/flags.ts'
import { peers } from '../bench/src/peers.ts'
import { createPlan } from '../bench/src/plan.ts'
import { postingTable } from '../bench/src/posting-table.ts'
import { startInProcess } from '../bench/src/servers/in-process.ts'
import { type Served, serve } from '../bench/src/servers/post-endpoint.ts'
import { startServerChannel } from '../bench/src/servers/serverchannel.ts'
import { tables } from '../bench/src/tables.ts'
import { outcomesOf } from '../bench/src/targets.ts'
import { CONNECTIONS, channelOptions, counts, countsOf, drive, missing } from './bench-scene.ts'

let server: Served | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

const inProcess = (port: number) => ({ pid: 0, port, postPort: port, stop: () => Promise.resolve() })

describe.skipIf(missing !== undefined)('the load driver that only posts', () => {
  test.each(postingTable.contenders)('counts a receipt for every post: $name', async ({ name, driverOptions }) => {
    const { port } = (server = await (name === 'in-process' ? startInProcess() : startServerChannel('auto')))
    const posts = name === 'http-ndjson' ? 3000 : name === 'in-process' ? 1 : 50
    const report = await drive(server, {
      ...driverOptions(inProcess(port), 0),
      connections: 0,
      phase: [`posts:${posts}:16`],
    })

    expect(problemOf(report)).toBeUndefined()
    expect(report.phases[0]).toMatchObject({ posted: posts, receipts: posts })
  })

  test('finds a post that is acknowledged without a position', async () => {
    let requests = 0
    const listening = createServer((request, response) => {
      requests += 1
      const receipt = requests === 3 ? {} : { position: `epoch:${requests}` }
      request.resume().once('end', () => response.writeHead(201).end(JSON.stringify(receipt)))
    })
    server = await serve(listening, () => {})
    const report = await drive(server, { ...channelOptions(server), connections: 0, phase: ['posts:10:1'] })

    expect(problemOf(report)).toBe('9 receipts for 10 posts (posts:10:1)')
  })

  test('posts many messages in a request, in bursts too', async () => {
    server = await startServerChannel('auto')
    const report = await drive(server, {
      ...channelOptions(server),
      postBatch: 8,
      postType: 'application/x-ndjson',
      postPipeline: 64,
      phase: ['burst:64:64', 'burst:80:16'],
    })

    expect(problemOf(report)).toBeUndefined()
    expect(report.phases.map(countsOf)).toEqual([counts(64), counts(80)])
  })
})

describe.skipIf(missing !== undefined)('the bench runs', () => {
  const others = burstsTable.contenders.filter(
    ({ name }) => name.startsWith('c-') || peers.some((peer) => peer.name === name),
  )

  test.each(others)('$name and loses nothing of it', async ({ name, missing: why, start, driverOptions }) => {
    const reason = why?.()
    if (reason !== undefined) {
      console.warn(`The bench's server ${name} is not tested: ${reason}`)
      return
    }
    const running = await start(undefined)
    try {
      const report = await drive(running, {
        ...driverOptions(running, CONNECTIONS),
        serverPid: running.pid,
        phase: ['burst:10:1', 'burst:128:64'],
      })

      expect(problemOf(report)).toBeUndefined()
      expect(report.phases.map(countsOf)).toEqual([counts(10), counts(128)])
      expect(report.phases[1]?.deliveriesPerServerCpuSecond).toBeGreaterThan(0)
    } finally {
      await running.stop()
    }
  })
})

describe('a target', () => {
  const measured = {
    sizes: [1000, 10_000],
    of: (name: string, connections: number) => (name === 'ours' ? { rate: connections } : undefined),
  }
  const rate = (name: string) => (all: typeof measured, size: number) => all.of(name, size)?.rate

  test('is reached, or says how far it is from that', () => {
    const outcomes = outcomesOf(
      [
        { what: 'fast', atLeast: 2000, value: rate('ours') },
        { what: 'short', connections: 10_000, atMost: 5000, value: rate('ours') },
      ],
      measured,
    )

    expect(outcomes.map(({ what, connections, verdict }) => [what, connections, verdict])).toEqual([
      ['fast', 1000, 'not reached: 0.50 of it'],
      ['fast', 10_000, 'reached'],
      ['short', 10_000, 'not reached: 2.00 times that'],
    ])
  })

  test('is left out where a server that it takes was not measured', () => {
    expect(outcomesOf([{ what: 'fast', atLeast: 1, value: rate('theirs') }], measured)).toEqual([])
  })

  test('stands in a table of each number of connections, with figures of a driver', () => {
    const runs = [{ server: 'serverchannel', connections: 1000, reports: [], problem: 'it broke' }]
    const { markdown, targets } = burstsTable.answer(createPlan(true, 1), runs)

    expect(markdown).toContain('no figures: it broke')
    expect(targets).toEqual([])
  })
})

describe('the tables', () => {
  test('and their servers are in the documentation', () => {
    const readme = readFileSync(fileURLToPath(new URL('../bench/README.md', import.meta.url)), 'utf8')
    const names = tables.flatMap(({ name, contenders }) => [name, ...contenders.map((contender) => contender.name)])
    expect(names.filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
  })

  test('can be asked for by name', () => {
    const names = tables.map(({ name }) => name)
    expect(readFlags(['--table', names.join(',')], tables).tables).toEqual(names)
    expect(() => readFlags(['--table', 'none'], tables)).toThrow(/There are: messages/)
    expect(() => readFlags(['--chart', '../x'], tables)).toThrow(/no file name/)
  })
})
