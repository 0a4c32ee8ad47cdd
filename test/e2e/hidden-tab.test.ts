// A tab that is behind another one, in a whole Chromium, with the throttling that the browser does itself.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { wholeChromiumMissing } from '../support/browser.ts'
import { type ChromiumTab, ChromiumTabs } from '../support/chromium-tabs.ts'
import { type ClientServer, startClientServer } from '../support/client-page.ts'

const WAIT = { timeout: 20_000, interval: 100 }
/** Chromium lets the timers of a hidden page run once a minute when it is hidden for five; here at once. */
const THROTTLING = '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1'
/** `SECONDS=600 npx vitest run test/e2e/hidden-tab.test.ts` */
const SECONDS = Number(process.env['SECONDS'] ?? 100)
const EVERY_MS = 10_000

const missing = wholeChromiumMissing()
if (missing) {
  if (process.env['REQUIRE_ENGINES'] === '1') throw new Error(missing)
  console.warn(`Skipped, since ${missing}`)
}

describe.skipIf(missing)('a tab behind another one', () => {
  let browser: ChromiumTabs
  let server: ClientServer
  let tab: ChromiumTab
  let other: ChromiumTab

  beforeAll(async () => {
    browser = await ChromiumTabs.launch([THROTTLING])
  }, 60_000)

  afterAll(() => browser.close())

  async function begin(options: object, serverOptions: Parameters<typeof startClientServer>[0] = {}): Promise<void> {
    server = await startClientServer(serverOptions)
    tab = await browser.open(`${server.url}/?user=anna`)
    await expect.poll(() => tab.run('typeof window.got'), WAIT).toBe('object')
    await tab.run(`open(${JSON.stringify(options)})`)
    other = await browser.open('about:blank')
    await other.show()
    await expect.poll(() => tab.run('document.visibilityState'), WAIT).toBe('hidden')
  }

  afterEach(() => server.close())

  it(`keeps its connection over ${SECONDS} s in which its timers run once a minute, and gets each message at once`, {
    timeout: SECONDS * 1000 + 60_000,
  }, async () => {
    await begin({})
    await tab.run(`(window.ticks = [], setInterval(() => ticks.push(Date.now()), 1000))`)
    const end = Date.now() + SECONDS * 1000
    let number = 0
    while (Date.now() < end) {
      await server.channel.postMessageToAll('Number', number++)
      await expect.poll(() => tab.run('got.length'), WAIT).toBe(number)
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    }
    expect(await tab.run('got')).toEqual(Array.from({ length: number }, (_, index) => index))
    expect(await tab.run('told')).toEqual(['open'])
    expect(server.upgrades).toBe(1)
    const pauses = '(ticks.map((at, index) => at - (ticks[index - 1] ?? at)))'
    // It was the browser that held up its timers. It lets them run at whole minutes, so that the longest of these pauses may
    // have begun in the middle of one, and the next one not have ended.
    expect(await tab.run(`Math.max(...${pauses})`)).toBeGreaterThan(30_000)
  })

  it('that the browser froze, for longer than the server waits, goes on with all that it missed when it is shown', async () => {
    const times = { serverTimeoutMs: 3_000, keepAliveIntervalMs: 1_000 }
    await begin(times, { keepAliveIntervalMs: 1_000, clientTimeoutMs: 3_000 })
    await server.channel.postMessageToAll('Number', 0)
    await expect.poll(() => tab.run('got'), WAIT).toEqual([0])
    await tab.freeze()
    await expect.poll(() => server.channel.connectionCount, WAIT).toBe(0)
    for (let number = 1; number <= 50; number++) await server.channel.postMessageToAll('Number', number)
    await tab.unfreeze()
    await tab.show()
    await expect.poll(() => tab.run('got'), WAIT).toEqual(Array.from({ length: 51 }, (_, number) => number))
    expect(await tab.run('gaps')).toEqual([])
  })
})
