// A whole Chromium: what it puts into its back-forward cache, and what it notices of a network that is gone.
import type { Browser, BrowserContext, CDPSession } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchWholeChromium, wholeChromiumMissing } from '../support/browser.ts'
import { type ClientServer, startClientServer } from '../support/client-page.ts'
import { PacketFilter, packetFilterMissing } from '../support/packet-filter.ts'

const WAIT = { timeout: 20_000, interval: 50 }
/** So long a wait that an attempt can only be made for another reason. */
const NEVER = { reconnectDelayMs: 600_000, reconnectDelayMsMax: 600_000 }

const missing = wholeChromiumMissing()
if (missing) {
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.warn(`Skipped, since ${missing}`)
}
const filterMissing = packetFilterMissing
if (filterMissing) {
  if (process.env['REQUIRE_ENGINES'] === '1' && filterMissing.includes('apt-get')) throw new Error(filterMissing)
  console.warn(`Skipped, since ${filterMissing}`)
}

let browser: Browser
let window: BrowserContext
let server: ClientServer
let cdp: CDPSession

beforeAll(async () => {
  if (!missing) browser = await launchWholeChromium()
}, 60_000)

afterAll(async () => {
  if (!missing) await browser.close()
})

/** A page of its own. It is spoken to by the browser's own protocol: playwright loses pages that come back out of the cache. */
async function begin(options: object = {}, serverOptions: Parameters<typeof startClientServer>[0] = {}): Promise<void> {
  server = await startClientServer(serverOptions)
  window = await browser.newContext()
  const page = await window.newPage()
  await page.goto(`${server.url}/?user=anna`)
  cdp = await window.newCDPSession(page)
  await run(`open(${JSON.stringify(options)})`)
}

async function run(expression: string): Promise<unknown> {
  const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', {
    expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value) ?? 'null')`,
    awaitPromise: true,
    returnByValue: true,
  })
  if (exceptionDetails) throw new Error(exceptionDetails.text)
  const text: unknown = result.value
  return JSON.parse(String(text)) as unknown
}

const got = (): Promise<unknown> => run('got')
const told = (): Promise<unknown> => run('told')

describe.skipIf(missing)('a page in a whole Chromium', () => {
  afterEach(async () => {
    await window.close()
    await server.close()
  })

  it('that comes out of the back-forward cache goes on, with what it missed, once each', async () => {
    await begin(NEVER)
    await run('window.isTheSame = true')
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    for (let trip = 1; trip <= 3; trip++) {
      await cdp.send('Page.navigate', { url: `${server.url}/other` })
      await expect.poll(() => server.channel.connectionCount, WAIT).toBe(0)
      await server.channel.postMessageToAll('Number', 2 * trip)
      const { entries } = await cdp.send('Page.getNavigationHistory')
      const entry = entries.find(({ url }) => url.includes('user=anna'))
      await cdp.send('Page.navigateToHistoryEntry', { entryId: entry?.id ?? 0 })
      await expect.poll(() => server.channel.connectionCount, WAIT).toBe(1)
      await server.channel.postMessageToAll('Number', 2 * trip + 1)
      await expect.poll(got, WAIT).toEqual(Array.from({ length: 2 * trip + 1 }, (_, index) => index + 1))
    }
    expect(await run('window.isTheSame')).toBe(true)
    expect(await told()).toEqual(['open', ...Array.from({ length: 3 }, () => ['reconnecting', 'open true']).flat()])
  })
})

describe.skipIf(missing ?? filterMissing)('a network that is gone, packet by packet,', () => {
  let filter: PacketFilter

  beforeEach(async () => {
    const times = {
      serverTimeoutMs: 3_000,
      keepAliveIntervalMs: 1_000,
      handshakeTimeoutMs: 1_000,
      reconnectDelayMsMax: 500,
    }
    await begin(times, { keepAliveIntervalMs: 1_000, clientTimeoutMs: 3_000 })
    filter = new PacketFilter(Number(new URL(server.url).port))
  })

  afterEach(async () => {
    filter.close()
    await window.close()
    await server.close()
  })

  it('is noticed by the page in its time and by the server in its own, and all comes when it is back, once each', {
    timeout: 60_000,
  }, async () => {
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    filter.cut('127.0.0.1', 'both')
    const cutAt = Date.now()
    for (let body = 2; body <= 50; body++) await server.channel.postMessageToAll('Number', body)
    await expect.poll(told, WAIT).toEqual(['open', 'reconnecting'])
    // Three seconds without a word, and what a busy machine adds; long before TCP gives up.
    expect(Date.now() - cutAt).toBeLessThan(10_000)
    await expect.poll(() => server.channel.connectionCount, WAIT).toBe(0)
    expect(await got()).toEqual([1])
    filter.heal()
    await expect.poll(got, WAIT).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    expect(await told()).toEqual(['open', 'reconnecting', 'open true'])
    expect(await run('gaps')).toEqual([])
  })
})
