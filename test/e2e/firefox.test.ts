// The main path in Debian's Firefox: another engine than all other tests of pages run in.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { run } from '../support/cli-process.ts'
import { type ClientServer, startClientServer } from '../support/client-page.ts'
import { CrmProcess } from '../support/crm-process.ts'
import { Firefox, type FirefoxPage, firefoxMissing } from '../support/firefox.ts'
import { answerStockPage, createPageClient } from '../support/stock-page.ts'
import { carriers, scenariosOver } from '../support/stock-scenarios.ts'
import { openScene } from '../support/stock-scene.ts'
import { openStockServer, type StockServer } from '../support/stock-server.ts'

const WAIT = { timeout: 15_000, interval: 50 }
const LARGE_ORDER = 42
const CUTS = 5

const missing = firefoxMissing()
if (missing) {
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.warn(`Skipped, since ${missing}`)
}

let firefox: Firefox
const pages: FirefoxPage[] = []

beforeAll(async () => {
  if (!missing) firefox = await Firefox.launch()
}, 60_000)

afterAll(async () => {
  if (!missing) await firefox.close()
})

afterEach(async () => {
  for (const page of pages.splice(0)) await page.close()
})

async function newPage(): Promise<FirefoxPage> {
  const page = await firefox.newPage()
  pages.push(page)
  return page
}

describe.skipIf(missing)('the example in Firefox', () => {
  let crm: CrmProcess
  let database: string

  beforeEach(async () => {
    database = join(mkdtempSync(join(tmpdir(), 'serverchannel-')), 'orders.db')
    crm = await CrmProcess.start(0, database)
  })

  afterEach(() => crm.kill('SIGTERM'))

  async function open(path: string, user: string): Promise<FirefoxPage> {
    const page = await newPage()
    await page.goto(`${crm.url}${path}?user=${user}`)
    await expect.poll(() => data(page, '#connection-state', 'state'), WAIT).toBe('opened')
    return page
  }

  const data = (page: FirefoxPage, selector: string, name: string): Promise<string | undefined> =>
    page.evaluate(([of, key]) => document.querySelector<HTMLElement>(of)?.dataset[key], [selector, name] as const)

  const click = (page: FirefoxPage, selector: string): Promise<void> =>
    page.evaluate((of) => document.querySelector<HTMLElement>(of)?.click(), selector)

  /** Bodies of the messages of a sender that reached the window, oldest first. */
  const bodies = (page: FirefoxPage, sender: string): Promise<unknown[]> =>
    page.evaluate(
      (of) =>
        [...document.querySelectorAll<HTMLElement>(`#messages li[data-sender="${of}"]`)]
          .map(({ dataset }) => JSON.parse(dataset['body'] ?? '') as unknown)
          .reverse(),
      sender,
    )

  it('refreshes the other window while a process runs, and shows where it is', { timeout: 60_000 }, async () => {
    const anna = await open(`/orders/${LARGE_ORDER}`, 'anna')
    const boris = await open(`/orders/${LARGE_ORDER}`, 'boris')
    await click(anna, '#start-process')
    for (const page of [anna, boris]) {
      await expect.poll(() => data(page, '#diagram', 'active'), WAIT).toContain('Approve')
    }
    await expect.poll(() => boris.evaluate(() => document.getElementById('approve')?.hidden), WAIT).toBe(false)
    await click(boris, '#approve')
    for (const page of [anna, boris]) {
      await expect.poll(() => data(page, '#order', 'status'), WAIT).toBe('Approved')
      expect(await bodies(page, 'OrderApproved')).toEqual([{ id: LARGE_ORDER, approvedBy: 'boris' }])
    }
  })

  it('reconnects after the server was killed, with each post once', { timeout: 60_000 }, async () => {
    const anna = await open(`/orders/${LARGE_ORDER}`, 'anna')
    await run(['post', 'Before', 'x', '--url', crm.url])
    await expect.poll(() => bodies(anna, 'Before'), WAIT).toEqual(['x'])
    await crm.kill('SIGKILL')
    await expect.poll(() => data(anna, '#connection-state', 'state'), WAIT).toBe('closed')
    crm = await CrmProcess.start(Number(new URL(crm.url).port), database)
    await expect.poll(() => data(anna, '#connection-state', 'state'), WAIT).toBe('opened')
    // Its log was in the process's memory: the page says so, and has loaded anew what it shows.
    const notice = (): Promise<string | null | undefined> =>
      anna.evaluate(() => document.getElementById('notice')?.textContent)
    await expect.poll(notice, WAIT).toContain('epoch-changed')
    for (const body of ['1', '2', '3']) await run(['post', 'After', body, '--url', crm.url])
    await expect.poll(() => bodies(anna, 'After'), WAIT).toEqual(['1', '2', '3'])
  })
})

interface Globals {
  readonly got: unknown[]
  open(options?: object): Promise<void>
}

describe.skipIf(missing)('a page in Firefox', () => {
  let server: ClientServer
  let page: FirefoxPage

  beforeEach(async () => {
    server = await startClientServer()
    page = await newPage()
    await page.goto(`${server.url}/?user=anna`)
    await connect()
  })

  afterEach(() => server.close())

  const connect = (options: object = {}): Promise<void> =>
    page.evaluate((given) => (globalThis as unknown as Globals).open(given), options)
  const got = (): Promise<unknown[]> => page.evaluate(() => (globalThis as unknown as Globals).got)

  it.each(['websocket', 'server-sent-events', 'long-polling'])(
    'gets each message once and in order over cuts of its %s',
    { timeout: 60_000 },
    async (transport) => {
      await page.goto(`${server.url}/?user=boris`)
      await connect({ transports: [transport], reconnectDelayMsMax: 300 })
      const expected: number[] = []
      for (let cut = 0; cut < CUTS; cut++) {
        for (let n = 0; n < 20; n++) {
          expected.push(expected.length)
          void server.channel.postMessageToAll('Number', expected.length - 1)
          if (n === 10) server.cut()
        }
        await expect.poll(async () => (await got()).length, WAIT).toBe(expected.length)
      }
      expect(await got()).toEqual(expected)
    },
  )

  it('goes on where it was after a reload', async () => {
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    await page.goto(`${server.url}/other`)
    await server.channel.postMessageToAll('Number', 2)
    await page.goto(`${server.url}/?user=anna`)
    await connect()
    await expect.poll(got, WAIT).toEqual([2])
  })

  it('goes on where it was when one goes back to it', async () => {
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    await page.goto(`${server.url}/other`)
    await expect.poll(() => server.channel.connectionCount, WAIT).toBe(0)
    await server.channel.postMessageToAll('Number', 2)
    await page.traverse(-1)
    // Before its script ran, `open` is the window's own.
    await expect.poll(got, WAIT).not.toBeNull()
    // Firefox 153 puts no page into its back-forward cache that has an open socket before `pagehide`: it is loaded anew.
    const isAsItWas = await page.evaluate(() => 'channel' in globalThis)
    if (!isAsItWas) await connect()
    await expect.poll(got, WAIT).toEqual(isAsItWas ? [1, 2] : [2])
    await server.channel.postMessageToAll('Number', 3)
    await expect.poll(got, WAIT).toEqual(isAsItWas ? [1, 2, 3] : [2, 3])
  })

  it('goes over an event stream where WebSockets are refused', async () => {
    server.blocksWebSockets = true
    await page.goto(`${server.url}/?user=boris`)
    await connect()
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    expect(server.upgrades).toBe(2)
  })
})

/** All of it runs in Chromium, over all transports; here it is the engine's sockets and streams. */
const tried = carriers.filter(({ transport, protocol }) => transport !== 'LongPolling' && protocol === 'json')

describe.skipIf(missing).each(tried)('the newest stock client in Firefox over $transport with $protocol', (carrier) => {
  let server: StockServer
  let page: FirefoxPage

  beforeAll(async () => {
    const origin = (): string => `http://127.0.0.1:${server.port}`
    server = await openStockServer({ allowedOrigins: (from) => from === origin() }, 0, answerStockPage)
    page = await firefox.newPage()
    await page.goto(`${origin()}/`)
  })

  afterAll(async () => {
    await page.close()
    await server.close()
  })

  it.for(scenariosOver(carrier))('$name', { timeout: 30_000 }, async ({ run: play }, { onTestFinished }) => {
    const scene = openScene({
      carrier,
      server,
      onFinished: onTestFinished,
      serverOptions: { allowedOrigins: [`http://127.0.0.1:${server.port}`] },
      create: (settings) => createPageClient(page, settings),
    })
    await play(scene)
  })
})
