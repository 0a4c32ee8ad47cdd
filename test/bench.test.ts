import { createServer, type RequestListener } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { problemOf } from '../bench/src/driver.ts'
import { type Served, serve } from '../bench/src/servers/post-endpoint.ts'
import { startServerChannel } from '../bench/src/servers/serverchannel.ts'
import { startWsLoop } from '../bench/src/servers/ws-loop.ts'
import { transportsTable } from '../bench/src/transports-table.ts'
import { CONNECTIONS, channelOptions, counts, countsOf, drive, missing } from './bench-scene.ts'

let server: Served | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

describe.skipIf(missing !== undefined)('the load driver', () => {
  test('counts every delivery of a server that makes no mistake', async () => {
    server = await startWsLoop()
    const report = await drive(server, {
      ...channelOptions(server),
      phase: ['burst:10:1', 'burst:10:5', 'rate:40:0.25', 'idle:0.05'],
    })

    expect(problemOf(report)).toBeUndefined()
    expect(report.connections).toBe(CONNECTIONS)
    expect(report.phases.map(countsOf)).toEqual([10, 10, 10, 0].map((posted) => counts(posted)))
    const [burst] = report.phases
    expect(burst?.latencyP50Ms).toBeGreaterThan(0)
    expect(burst?.latencyP99Ms).toBeLessThanOrEqual((burst?.latencyMaxMs ?? 0) * 1.01)
    expect(burst?.payloadBytesPerDelivery).toBeGreaterThan(200)
  })

  test.each(transportsTable.contenders)('counts every delivery of ours over $name', async ({ driverOptions }) => {
    const { port } = (server = await startServerChannel('auto'))
    const process = { pid: 0, port, postPort: port, stop: () => Promise.resolve() }
    const report = await drive(server, {
      ...driverOptions(process, CONNECTIONS),
      phase: ['burst:10:1', 'burst:100:64', 'rate:40:0.25'],
    })

    expect(problemOf(report)).toBeUndefined()
    expect(report.phases.map(countsOf)).toEqual([10, 100, 10].map((posted) => counts(posted)))
  })

  test('measures the CPU time of the server process', async () => {
    server = await startWsLoop()
    const report = await drive(server, { ...channelOptions(server), serverPid: process.pid, phase: ['burst:20:5'] })

    expect(report.connectsPerServerCpuSecond).toBeGreaterThan(0)
    expect(report.phases[0]?.deliveriesPerServerCpuSecond).toBeGreaterThan(0)
  })

  test('says that a post was refused', async () => {
    server = await startWsLoop()
    const report = await drive(server, { ...channelOptions(server), phase: ['burst:5:1'], postBefore: 'not JSON: ' })

    expect(problemOf(report)).toBe('a post was refused (HTTP/1.1 400 Bad Request)')
  })

  test('says that connections are refused', async () => {
    server = await startWsLoop()
    const { port } = server
    await server.close()
    const report = await drive({ port }, { ...channelOptions({ port }), phase: ['burst:5:1'] })

    expect(problemOf(report)).toBe('20 of 20 connections failed (connect: Connection refused)')
  })

  test.each<[string, RequestListener, string]>([
    ['is refused', (_, response) => response.writeHead(401).end(), 'refused: HTTP/1.1 401 Unauthorized'],
    [
      'gives no token',
      (_, response) => response.end('{"error":"no"}'),
      'negotiate: there is no connection token in the answer',
    ],
    ['is no HTTP', (request) => request.socket.end('what?\r\n'), 'protocol: the server does not speak HTTP'],
  ])('says that the negotiation %s', async (_, listener, problem) => {
    server = await serve(createServer(listener), () => {})
    const report = await drive(server, { ...channelOptions(server), transport: 'long-polling', phase: ['burst:5:1'] })

    expect(problemOf(report)).toBe(`20 of 20 connections failed (${problem})`)
  })
})
