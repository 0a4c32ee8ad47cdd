import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { answerStockPage, createPageClient } from '../support/stock-page.ts'
import { carriers, scenariosOver } from '../support/stock-scenarios.ts'
import { openScene } from '../support/stock-scene.ts'
import { IDLE, openStockServer, type StockServer } from '../support/stock-server.ts'

let browser: Browser
/** Serves pages of another origin than any hub's. */
let elsewhere: Server

beforeAll(async () => {
  browser = await launchBrowser()
  elsewhere = createServer((request, response) => {
    if (!answerStockPage(request, response)) response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  await browser.close()
  elsewhere.closeAllConnections()
  await new Promise((resolve) => elsewhere.close(resolve))
})

function strangeOrigin(): string {
  return `http://localhost:${(elsewhere.address() as AddressInfo).port}`
}

const places: readonly (readonly [name: string, originOf: (server: StockServer) => string])[] = [
  ['of its own origin', ({ port }) => `http://127.0.0.1:${port}`],
  ['of another origin', strangeOrigin],
]

describe.each(places)('the newest client in a page %s', (_, originOf) => {
  describe.each(carriers)('over $transport with $protocol', (carrier) => {
    let server: StockServer
    let page: Page

    beforeAll(async () => {
      server = await openStockServer({ allowedOrigins: (origin) => origin === originOf(server) }, 0, answerStockPage)
      page = await browser.newPage()
      await page.goto(`${originOf(server)}/`)
    })

    afterAll(async () => {
      await page.close()
      await server.close()
    })

    it.for(scenariosOver(carrier))('$name', async ({ run }, { onTestFinished }) => {
      const scene = openScene({
        carrier,
        server,
        onFinished: onTestFinished,
        serverOptions: { allowedOrigins: [originOf(server)] },
        create: (settings) => createPageClient(page, settings),
      })
      await run(scene)
    })

    it('asks for leave beforehand only where the origin is another', () => {
      const own = `127.0.0.1:${server.port}`
      // Requests that came through a proxy have the origin of the page, and the proxy's host.
      const questions = server.requests.filter(({ method, headers }) => method === 'OPTIONS' && headers.host === own)
      expect(questions.length > 0).toBe(originOf(server) !== `http://${own}`)
      for (const { headers } of questions) {
        expect(headers.origin).toBe(originOf(server))
        expect(headers['access-control-request-headers']).toContain('x-requested-with')
      }
    })
  })
})

it('the newest client keeps its connections while there is nothing to say, for longer than either end waits', async () => {
  const server = await openStockServer({}, 0, answerStockPage)
  const page = await browser.newPage()
  try {
    const origin = `http://127.0.0.1:${server.port}`
    await page.goto(origin)
    const times = { serverTimeoutMs: IDLE.timeoutMs, keepAliveIntervalMs: IDLE.keepAliveIntervalMs }
    const clients = await Promise.all(
      carriers.map((carrier) => createPageClient(page, { url: `${origin}/testhub`, ...carrier, ...times })),
    )
    for (const client of clients) expect(await client.start()).toEqual({ value: undefined })
    // Silence is what is tried here; nothing tells of it but the time.
    const idle = new Promise((resolve) => setTimeout(resolve, 2 * IDLE.timeoutMs, 'idle'))
    expect(await Promise.race([idle, ...clients.map((client) => client.ended())])).toBe('idle')
    for (const client of clients) expect(await client.invoke('Echo', 'there')).toEqual({ value: 'there' })
    expect(server.hub.connectionCount).toBe(clients.length)
  } finally {
    await page.close()
    await server.close()
  }
})

describe('the newest client in a page of an origin that is not allowed', () => {
  it.each(carriers)('gets nowhere over $transport with $protocol', async (carrier) => {
    const server = await openStockServer({ allowedOrigins: ['http://allowed.example'] })
    const page = await browser.newPage()
    try {
      await page.goto(`${strangeOrigin()}/`)
      const client = await createPageClient(page, { url: `http://127.0.0.1:${server.port}/testhub`, ...carrier })
      expect(await client.start()).toEqual({ error: expect.stringContaining('Failed to fetch') as string })
      expect(server.requests.map(({ method, headers }) => `${method} ${headers.origin}`)).toEqual([
        `OPTIONS ${strangeOrigin()}`,
      ])
      expect(server.channel.connectionCount).toBe(0)
    } finally {
      await page.close()
      await server.close()
    }
  })
})
