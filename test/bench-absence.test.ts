import { describe, expect, type TestContext, test } from 'vitest'
import { audiencesTable } from '../bench/src/audiences-table.ts'
import { type DriverOptions, type DriverReport, problemOf } from '../bench/src/driver.ts'
import { reconnectTable } from '../bench/src/reconnect-table.ts'
import { startAudiences } from '../bench/src/servers/audiences.ts'
import { type Served } from '../bench/src/servers/post-endpoint.ts'
import { startServerChannel } from '../bench/src/servers/serverchannel.ts'
import { slowReadersTable } from '../bench/src/slow-readers-table.ts'
import { type Mistakes, startResumingServer } from './bench-resuming-server.ts'
import { CONNECTIONS, channelOptions, counts, countsOf, drive, missing } from './bench-scene.ts'

const MISSED = 10
const SLOW = 5
/** One of the slow ones. */
const LAST = CONNECTIONS - 1
const ALL_KEYS = 4
/** Long enough for a machine that is busy with other tests, short enough for a test's time. */
const STALL_MS = 4000

// Each test mostly waits for what does not come.
describe.skipIf(missing !== undefined).concurrent('the load driver cuts off its clients', () => {
  test('and each has everything when ours took it back', async (context) => {
    const server = await started(context, startServerChannel('auto'))
    const report = await drive(server, {
      ...optionsOf(reconnectTable, 'serverchannel', server),
      phase: ['burst:5:1', 'cut:30:40', 'burst:5:5'],
    })

    context.expect(problemOf(report)).toBeUndefined()
    const [, gone, after] = report.phases
    context
      .expect(gone)
      .toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0, returns: CONNECTIONS, gaps: 0, unfinished: 0 })
    context.expect(gone?.posted).toBeGreaterThanOrEqual(30)
    context.expect(gone?.deliveries).toBe((gone?.posted ?? 0) * CONNECTIONS)
    context.expect(gone?.answerP99Ms).toBeGreaterThan(0)
    context.expect(after && countsOf(after)).toEqual(counts(5))
  })

  test('and finds a message that is lost although the server says that it recovered', async (context) => {
    const report = await cut(context, {
      client: 3,
      resume: (missed) => ({ frames: missed.toSpliced(4, 1), state: { recovered: true } }),
    })

    context.expect(report.phases[0]).toMatchObject({ lost: 1, gone: 0, gaps: 0, unfinished: 1 })
    context.expect(problemOf(report)).toContain('1 of ')
  })

  test('and finds one that is lost at the end of what was missed', async (context) => {
    const report = await cut(context, {
      client: 3,
      resume: (missed) => ({ frames: missed.slice(0, -1), state: { recovered: true } }),
    })

    context.expect(report.phases[0]).toMatchObject({ lost: 1, unfinished: 1 })
  })

  test('and finds a message that is sent again', async (context) => {
    const report = await cut(context, {
      client: 3,
      resume: (missed) => ({ frames: [...missed, ...missed.slice(-1)], state: { recovered: true } }),
    })

    context.expect(report.phases[0]).toMatchObject({ lost: 0, doubled: 1 })
  })

  test('and sees another order', async (context) => {
    const report = await cut(context, {
      client: 3,
      resume: (missed) => ({ frames: missed.toReversed(), state: { recovered: true } }),
    })

    context.expect(report.phases[0]?.outOfOrder).toBeGreaterThanOrEqual(MISSED - 1)
  })

  test('and counts what is gone with a gap that the client was told of', async (context) => {
    const report = await cut(context, {
      client: 3,
      resume: () => ({ frames: [], state: { recovered: false, reason: 'history-trimmed' } }),
    })

    context.expect(problemOf(report)).toBeUndefined()
    const [phase] = report.phases
    context.expect(phase).toMatchObject({ lost: 0, gaps: 1, unfinished: 0 })
    context.expect(phase?.gone).toBeGreaterThanOrEqual(MISSED)
  })
})

describe.skipIf(missing !== undefined).concurrent('the load driver tries to come back', () => {
  test('again where a connection breaks', async (context) => {
    const report = await cut(context, { client: 3, upgrade: (tries) => (tries < 3 ? 'reset' : 'taken') })

    context.expect(problemOf(report)).toBeUndefined()
    context
      .expect(report.phases[0])
      .toMatchObject({ lost: 0, returns: CONNECTIONS, returnTries: CONNECTIONS + 2, unfinished: 0 })
  })

  test('not for ever', async (context) => {
    const report = await cut(context, { client: 3, upgrade: () => 'reset' })

    context.expect(problemOf(report)).toBe('1 of 20 connections ended (closed by the server: end of stream)')
    context.expect(report.phases[0]).toMatchObject({ returns: CONNECTIONS - 1, unfinished: 1 })
  })

  test('not where it is refused', async (context) => {
    const report = await cut(context, { client: 3, upgrade: () => 'refused' })

    context.expect(problemOf(report)).toContain('1 of 20 connections ended (upgrade refused: HTTP/1.1 503')
    context.expect(report.phases[0]?.lost).toBeGreaterThanOrEqual(MISSED)
  })
})

describe.skipIf(missing !== undefined).concurrent('the load driver lets some clients not read', () => {
  test.for(slowReadersTable.contenders)('and all get what is theirs from ours: $name', async ({ name }, context) => {
    const server = await started(context, startServerChannel('auto'))
    const options = optionsOf(slowReadersTable, name, server)
    const report = await drive(server, {
      ...options,
      // Few, and large: more than the server and the kernel hold for a client.
      payloadBytes: 3000,
      phase: ['burst:5:1', 'slow:250:1', 'burst:5:1'],
    })

    context.expect(problemOf(report)).toBeUndefined()
    context
      .expect(report.phases[1])
      .toMatchObject({ posted: 250, lost: 0, doubled: 0, outOfOrder: 0, gaps: 0, unfinished: 0 })
    // That the slow ones were behind shows where newer messages stand for older ones.
    if (options.keys) context.expect(report.phases[1]?.replaced).toBeGreaterThan(0)
    context.expect(report.phases[2]?.deliveries).toBe(5 * (options.connections ?? CONNECTIONS))
  })

  test('and those that are closed with leave to come back do', async (context) => {
    const report = await slow(context, {
      client: LAST,
      send: (socket, frame, number) => {
        if (number < 5) socket.send(frame)
        else if (number === 5) {
          socket.send('{"type":7,"error":"stalled","allowReconnect":true}\x1e')
          socket.close(1000)
        }
      },
    })

    context.expect(problemOf(report)).toBeUndefined()
    context.expect(report.phases[0]).toMatchObject({ ...counts(MISSED), returns: 1, unfinished: 0 })
  })

  test('and one whose connection breaks while it does not read comes back', async (context) => {
    const report = await slow(context, {
      client: LAST,
      send: (socket, frame, number) => {
        if (number < 5) socket.send(frame)
        else if (number === 5) socket.terminate()
      },
    })

    context.expect(problemOf(report)).toBeUndefined()
    context.expect(report.phases[0]).toMatchObject({ ...counts(MISSED), returns: 1, unfinished: 0 })
  })

  test('and finds one that is closed for good', async (context) => {
    const report = await slow(context, {
      client: LAST,
      send: (socket, frame, number) => {
        if (number < 5) socket.send(frame)
        else if (number === 5) {
          socket.send('{"type":7,"error":"stalled"}\x1e')
          socket.close(1000)
        }
      },
    })

    context.expect(problemOf(report)).toBe('1 of 20 connections ended (closed by the server: code 1000)')
    context.expect(report.phases[0]).toMatchObject({ lost: MISSED - 4, unfinished: 1 })
  })

  test('and finds a message that a slow one never gets', async (context) => {
    const report = await slow(context, {
      client: LAST,
      send: (socket, frame, number) => {
        if (number !== 5) socket.send(frame)
      },
    })

    context.expect(report.phases[0]).toMatchObject({ lost: 1, unfinished: 1 })
  })

  const keyed = {
    keys: ALL_KEYS,
    postBefore: '{"sender":"bench","key":"{key}","body":"',
  }

  test('and takes the newest of each key for those before it', async (context) => {
    const mistakes: Mistakes = {
      client: LAST,
      send: (socket, frame, number) => {
        if (number > MISSED - ALL_KEYS) socket.send(frame)
      },
    }
    const report = await slow(context, mistakes, keyed)

    context.expect(problemOf(report)).toBeUndefined()
    context.expect(report.phases[0]).toMatchObject({ lost: 0, replaced: MISSED - ALL_KEYS, unfinished: 0 })
  })

  test('and finds the newest of a key that does not come', async (context) => {
    const mistakes: Mistakes = {
      client: LAST,
      send: (socket, frame, number) => {
        if (number !== MISSED - ALL_KEYS + 2) socket.send(frame)
      },
    }
    const report = await slow(context, mistakes, keyed)

    context.expect(report.phases[0]).toMatchObject({ lost: 1, replaced: 0, unfinished: 1 })
  })
})

describe.skipIf(missing !== undefined).concurrent('the load driver posts to a few', () => {
  test.for(audiencesTable.contenders)('and only they get it: $name', async ({ name, title }, context) => {
    const server = await started(context, startAudiences())
    // Few groups for each client: the server is in this process.
    const options = optionsOf(audiencesTable, name, server, 10_000)
    const receivers = Math.min(options.receivers ?? 0, CONNECTIONS)
    const report = await drive(server, { ...options, receivers, phase: ['burst:20:4'] })

    context.expect(title).not.toBe('')
    context.expect(problemOf(report)).toBeUndefined()
    context.expect(report.phases[0]).toMatchObject({ lost: 0, unknown: 0, deliveries: 20 * receivers })
  })

  test('and finds a message that another client gets', async (context) => {
    const server = await started(context, startServerChannel('auto'))
    const report = await drive(server, { ...channelOptions(server), receivers: 1, phase: ['burst:5:1'] })

    context.expect(report.phases[0]).toMatchObject({ deliveries: 5, unknown: 5 * (CONNECTIONS - 1) })
  })
})

async function cut(context: TestContext, mistakes: Mistakes): Promise<DriverReport> {
  return resuming(context, mistakes, { phase: [`cut:${MISSED}:20`] })
}

async function slow(
  context: TestContext,
  mistakes: Mistakes,
  options: Partial<DriverOptions> = {},
): Promise<DriverReport> {
  return resuming(context, mistakes, { slow: SLOW, phase: [`slow:100:${MISSED / 100}`], ...options })
}

async function resuming(
  context: TestContext,
  mistakes: Mistakes,
  options: Partial<DriverOptions>,
): Promise<DriverReport> {
  const server = await started(context, startResumingServer(mistakes))
  return drive(server, { ...channelOptions(server), path: '/msg?n={n}', keepsPosition: 'yes', ...options })
}

async function started({ onTestFinished }: TestContext, starting: Promise<Served>): Promise<Served> {
  const server = await starting
  onTestFinished(() => server.close())
  return server
}

/** How a table's server is driven, at the size of the tests. */
function optionsOf(
  { contenders }: { contenders: typeof reconnectTable.contenders },
  name: string,
  { port }: Served,
  connections: number = CONNECTIONS,
): Partial<DriverOptions> {
  const contender = contenders.find((one) => one.name === name)
  expect(contender).toBeDefined()
  const process = { pid: 0, port, postPort: port, stop: () => Promise.resolve() }
  return { ...contender?.driverOptions(process, connections), stallMs: STALL_MS }
}
