import { afterEach, describe, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { compileDriver, missingForDriver } from '../bench/src/compiler.ts'
import { type DriverOptions, type DriverReport, problemOf, runDriver } from '../bench/src/driver.ts'
import { createMessage, signalRFrame } from '../bench/src/servers/envelope.ts'
import { createPostServer, type Served, serve } from '../bench/src/servers/post-endpoint.ts'
import { startWsLoop } from '../bench/src/servers/ws-loop.ts'

const CONNECTIONS = 20
const FAULTY_MESSAGE = 3

const missing = missingForDriver()
if (missing !== undefined) {
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.warn(`The tests of the load driver are skipped: ${missing}`)
}

describe.skipIf(missing !== undefined)('the load driver', () => {
  let server: Served | undefined
  afterEach(async () => {
    await server?.close()
    server = undefined
  })

  test('counts every delivery of a server that makes no mistake', async () => {
    server = await startWsLoop()
    const report = await drive(server, { phase: ['burst:10:1', 'burst:10:5', 'rate:40:0.25', 'idle:0.05'] })

    expect(problemOf(report)).toBeUndefined()
    expect(report.connections).toBe(CONNECTIONS)
    const posted = [10, 10, 10, 0]
    expect(report.phases.map(countsOf)).toEqual(
      posted.map((count) => ({ posted: count, deliveries: count * CONNECTIONS, lost: 0, doubled: 0, outOfOrder: 0 })),
    )
    const [burst] = report.phases
    expect(burst?.latencyP50Ms).toBeGreaterThan(0)
    expect(burst?.latencyP99Ms).toBeLessThanOrEqual((burst?.latencyMaxMs ?? 0) * 1.01)
    expect(burst?.payloadBytesPerDelivery).toBeGreaterThan(200)
  })

  test('measures the CPU time of the server process', async () => {
    server = await startWsLoop()
    const report = await drive(server, { serverPid: process.pid, phase: ['burst:20:5'] })

    expect(report.connectsPerServerCpuSecond).toBeGreaterThan(0)
    expect(report.phases[0]?.deliveriesPerServerCpuSecond).toBeGreaterThan(0)
  })

  test('finds a message that one connection does not get', async () => {
    server = await startFaultyServer((client, text, number) => {
      if (number !== FAULTY_MESSAGE) client.send(text)
    })
    const report = await drive(server, { phase: ['burst:5:5'] })

    expect(report.phases.map(countsOf)).toEqual([counts({ lost: 1, deliveries: 5 * CONNECTIONS - 1 })])
    expect(problemOf(report)).toContain('1 of 100 deliveries did not come')
  })

  test('finds a message that one connection gets twice', async () => {
    server = await startFaultyServer((client, text, number) => {
      client.send(text)
      if (number === FAULTY_MESSAGE) client.send(text)
    })
    const report = await drive(server, { phase: ['burst:5:5'] })

    expect(report.phases.map(countsOf)).toEqual([counts({ doubled: 1 })])
  })

  test('finds two messages that one connection gets in the wrong order', async () => {
    let held = ''
    server = await startFaultyServer((client, text, number) => {
      if (number === FAULTY_MESSAGE) held = text
      else client.send(text)
      if (number === FAULTY_MESSAGE + 1) client.send(held)
    })
    const report = await drive(server, { phase: ['burst:5:5'] })

    expect(report.phases.map(countsOf)).toEqual([counts({ outOfOrder: 1 })])
  })

  test('finds messages that nobody has posted', async () => {
    server = await startFaultyServer((client, text, number) => {
      client.send(text)
      if (number === FAULTY_MESSAGE) client.send(text.replace(/~#.{8}/, '~#0000ffff'))
    })
    const report = await drive(server, { phase: ['burst:5:5'] })

    expect(report.phases.map((phase) => phase.unknown)).toEqual([1])
  })

  test('reads messages in WebSocket fragments, cut anywhere', async () => {
    server = await startFaultyServer((client, text, number) => {
      const cut = text.indexOf('~#') + number
      client.send(text.slice(0, cut), { fin: false })
      client.send(text.slice(cut), { fin: true })
    })
    const report = await drive(server, { phase: ['burst:30:5'] })

    expect(report.phases.map(countsOf)).toEqual([counts({ posted: 30, deliveries: 30 * CONNECTIONS })])
  })

  test('says that the server has closed a connection, and with which code', async () => {
    server = await startFaultyServer((client, text, number) => {
      if (number === FAULTY_MESSAGE) client.close(1011)
      else client.send(text)
    })
    const report = await drive(server, { phase: ['burst:5:5'] })

    expect(problemOf(report)).toBe('1 of 20 connections ended (closed by the server: code 1011)')
    expect(report.phases[0]?.lost).toBe(3)
  })

  test('says that a post was refused', async () => {
    server = await startWsLoop()
    const report = await drive(server, { phase: ['burst:5:1'], postBefore: 'not JSON: ' })

    expect(problemOf(report)).toBe('a post was refused (HTTP/1.1 400 Bad Request)')
  })

  test('says that connections are refused', async () => {
    server = await startWsLoop()
    const { port } = server
    await server.close()
    const report = await drive({ port }, { phase: ['burst:5:1'] })

    expect(problemOf(report)).toBe('20 of 20 connections failed (connect: Connection refused)')
  })
})

function drive({ port }: { port: number }, options: Partial<DriverOptions>): Promise<DriverReport> {
  return runDriver(compileDriver(), {
    port,
    path: '/msg',
    connections: CONNECTIONS,
    hello: '{"protocol":"json","version":1}\x1e',
    ready: '{}\x1e',
    settleMs: 0,
    // Long enough for a machine that is busy with other tests.
    stallMs: 2000,
    postHttp: port,
    postBefore: '{"sender":"bench","body":"',
    postAfter: '"}',
    phase: [],
    ...options,
  })
}

/** A server whose first client gets what `sendToFirst` sends for the message with this number, counted from 1. */
function startFaultyServer(sendToFirst: (client: WebSocket, text: string, number: number) => void): Promise<Served> {
  let number = 0
  const webSockets = new WebSocketServer({ noServer: true })
  webSockets.on('connection', (client) => client.once('message', () => client.send('{}\x1e')))
  const server = createPostServer(({ sender, body }) => {
    number += 1
    const message = createMessage(sender, body)
    const [first, ...others] = webSockets.clients
    for (const client of others) client.send(signalRFrame(message))
    if (first) sendToFirst(first, signalRFrame(message), number)
    return { position: message.Position }
  })
  server.on('upgrade', (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (client) => webSockets.emit('connection', client, request))
  })
  return serve(server, () => {
    for (const client of webSockets.clients) client.terminate()
  })
}

interface Counts {
  posted: number
  deliveries: number
  lost: number
  doubled: number
  outOfOrder: number
}

function countsOf({ posted, deliveries, lost, doubled, outOfOrder }: Counts): Counts {
  return { posted, deliveries, lost, doubled, outOfOrder }
}

/** What a burst of five messages should give, but for what is said here. */
function counts(differences: Partial<Counts>): Counts {
  return { posted: 5, deliveries: 5 * CONNECTIONS, lost: 0, doubled: 0, outOfOrder: 0, ...differences }
}
