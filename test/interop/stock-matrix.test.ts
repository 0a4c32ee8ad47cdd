import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { StockClient } from '../support/stock-client.ts'
import { carriers, scenarios, scenariosOver } from '../support/stock-scenarios.ts'
import { openScene } from '../support/stock-scene.ts'
import { IDLE, openStockServer, type StockServer } from '../support/stock-server.ts'
import { stockVersions } from '../support/stock-versions.ts'

/** What the scenarios have the hub's methods throw that is no HubException. */
const THROWN = ['secret', 'unheard', 'x', 'in the middle']
const lacking = new Set(
  stockVersions.flatMap(({ lacks }) => scenarios.flatMap(({ needs }) => (needs && lacks(needs)) ?? [])),
)
console.log(['Skipped, because the client has none:', ...lacking].join('\n  '))

for (const version of stockVersions) {
  for (const carrier of carriers) {
    // The cells share nothing, so they run side by side; what is in one runs in order.
    describe.concurrent(`@microsoft/signalr ${version.name} over ${carrier.transport} with ${carrier.protocol}`, () => {
      let server: StockServer

      beforeAll(async () => {
        server = await openStockServer()
      })

      afterAll(() => server.close())

      for (const { name, needs, run } of scenariosOver(carrier)) {
        const reason = needs && version.lacks(needs)
        it.sequential(`the client ${name}`, async ({ skip, onTestFinished }) => {
          skip(Boolean(reason), reason)
          await run(openScene({ carrier, server, onFinished: onTestFinished, create: version.create }))
        })
      }

      it.sequential('lets the server log nothing but what its methods threw', () => {
        expect(new Set(server.logged)).toEqual(new Set(THROWN.map((text) => `A hub failed: ${text}`)))
      })
    })
  }
}

describe('clients of all versions, over all transports', () => {
  let server: StockServer
  const clients: StockClient[] = []

  beforeAll(async () => {
    server = await openStockServer()
  })

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.stop()))
  })

  afterAll(() => server.close())

  it('keep their connections while there is nothing to say, for longer than either end waits', async () => {
    for (const version of stockVersions) {
      for (const carrier of carriers) {
        const client = version.create({
          url: `http://127.0.0.1:${server.port}/testhub`,
          ...carrier,
          serverTimeoutMs: IDLE.timeoutMs,
          keepAliveIntervalMs: IDLE.keepAliveIntervalMs,
        })
        clients.push(client)
      }
    }
    const starts = await Promise.all(clients.map((client) => client.start()))
    expect(starts).toEqual(clients.map(() => ({ value: undefined })))
    // Silence is what is tried here; nothing tells of it but the time.
    const idle = new Promise((resolve) => setTimeout(resolve, 2 * IDLE.timeoutMs, 'idle'))
    const ended = Promise.race(clients.map((client) => client.ended()))
    expect(await Promise.race([idle, ended])).toBe('idle')
    const outcomes = await Promise.all(clients.map((client) => client.invoke('Echo', 'there')))
    expect(outcomes).toEqual(clients.map(() => ({ value: 'there' })))
    expect(server.hub.connectionCount).toBe(clients.length)
  })

  it('know that server-sent events carry no MessagePack, as the negotiation says', async () => {
    for (const version of stockVersions) {
      const client = version.create({
        url: `http://127.0.0.1:${server.port}/testhub`,
        transport: 'ServerSentEvents',
        protocol: 'messagepack',
      })
      clients.push(client)
      expect(await client.start()).toEqual({
        error: expect.stringContaining(
          "ServerSentEvents failed: Error: 'ServerSentEvents' does not support Binary.",
        ) as string,
      })
    }
  })
})
