// What only a real browser can show of the page's client: reloads, its network, its storage.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { type ClientServer, startClientServer } from '../support/client-page.ts'

interface Globals {
  readonly got: unknown[]
  readonly told: string[]
  readonly gaps: string[]
  readonly channel: { readonly state: string; close(): Promise<void> }
  open(options?: object): Promise<void>
}

const WAIT = { timeout: 15_000, interval: 50 }
/** So long a wait that an attempt can only be made for another reason. */
const NEVER = { reconnectDelayMs: 600_000, reconnectDelayMsMax: 600_000 }

let browser: Browser
let server: ClientServer
let window: BrowserContext
let page: Page

beforeAll(async () => {
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser.close()
})

beforeEach(async () => {
  server = await startClientServer()
  window = await browser.newContext()
  page = await window.newPage()
})

afterEach(async () => {
  await window.close()
  await server.close()
})

async function open(options: object = {}, user = 'anna'): Promise<void> {
  await page.goto(`${server.url}/?user=${user}`)
  await connect(options)
}

async function connect(options: object = {}): Promise<void> {
  await page.evaluate((given) => (globalThis as unknown as Globals).open(given), options)
}

const got = (): Promise<unknown[]> => page.evaluate(() => (globalThis as unknown as Globals).got)
const told = (): Promise<string[]> => page.evaluate(() => (globalThis as unknown as Globals).told)

describe('a reload', () => {
  it('goes on where the page was, once for each message', async () => {
    await open()
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    await page.goto(`${server.url}/other`)
    await server.channel.postMessageToAll('Number', 2)
    await open()
    expect(await got()).toEqual([2])
    expect(await told()).toEqual(['open true'])
    await page.reload()
    await connect()
    expect(await got()).toEqual([])
  })

  it('begins anew as another user, and in another tab', async () => {
    await open()
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    await page.goto(`${server.url}/other`)
    await server.channel.postMessageToAll('Number', 2)
    await open({}, 'boris')
    expect(await got()).toEqual([])
    expect(await told()).toEqual(['open'])
    page = await window.newPage()
    await open()
    expect(await got()).toEqual([])
  })

  it('goes on in another tab too, where the position is kept per user', async () => {
    await open({ keepPosition: 'user' })
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    await page.close()
    await server.channel.postMessageToAll('Number', 2)
    page = await window.newPage()
    await open({ keepPosition: 'user' })
    expect(await got()).toEqual([2])
  })

  it('begins anew where nothing is to be kept', async () => {
    await open({ keepPosition: false })
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    await page.goto(`${server.url}/other`)
    await server.channel.postMessageToAll('Number', 2)
    await open({ keepPosition: false })
    expect(await got()).toEqual([])
  })
})

describe('a network without WebSockets', () => {
  it('is found out once, remembered by later pages, and tried again when the network is another one', async () => {
    server.blocksWebSockets = true
    await open()
    expect(server.upgrades).toBe(1)
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
    await page.reload()
    await connect()
    expect(server.upgrades).toBe(1)
    server.blocksWebSockets = false
    await window.setOffline(true)
    server.cut()
    await expect.poll(async () => (await told()).at(-1), WAIT).toBe('reconnecting')
    await window.setOffline(false)
    await expect.poll(async () => (await told()).at(-1), WAIT).toBe('open true')
    expect(server.upgrades).toBe(2)
  })

  it('that lets no event streams pass either is polled', async () => {
    server.blocksWebSockets = true
    await page.route('**/msg?**', (route) =>
      route.request().headers()['accept']?.includes('event-stream') ? route.abort() : route.continue(),
    )
    await open()
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(got, WAIT).toEqual([1])
  })
})

describe('a browser', () => {
  it('that is offline and online again is connected at once, with what it missed', async () => {
    await open(NEVER)
    await window.setOffline(true)
    server.cut()
    await expect.poll(async () => (await told()).at(-1), WAIT).toBe('reconnecting')
    await server.channel.postMessageToAll('Number', 1)
    await window.setOffline(false)
    await expect.poll(got, WAIT).toEqual([1])
    expect((await told()).at(-1)).toBe('open true')
  })

  // This Chromium has no back-forward cache (its embedder declines it), so its events are made by hand.
  it('that puts a page away and takes it out again has it go on, with what it missed', async () => {
    await open(NEVER)
    await expect.poll(() => server.channel.connectionCount, WAIT).toBe(1)
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })))
    await expect.poll(() => server.channel.connectionCount, WAIT).toBe(0)
    await server.channel.postMessageToAll('Number', 1)
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))
    await expect.poll(got, WAIT).toEqual([1])
    expect(await told()).toEqual(['open', 'reconnecting', 'open true'])
  })
})

/** Has the page believe that nobody looks at it, or somebody again. */
async function look(state: 'visible' | 'hidden'): Promise<void> {
  await page.evaluate((visibilityState) => {
    Object.defineProperty(document, 'visibilityState', { value: visibilityState, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  }, state)
}

describe('a hidden page', () => {
  it('is told only the newest of each key where it asks for that, and all of it when somebody looks', async () => {
    await open({ whenHidden: 'latest', hiddenIntervalMs: 600_000 })
    await look('hidden')
    const save = (body: number): Promise<unknown> =>
      server.channel.post({ sender: 'Saved', key: 'order:42', body, to: 'all' }).then(() => {})
    // The first one after the server knows goes through, what comes after that is held back.
    await expect
      .poll(async () => {
        const before = (await got()).length
        await save(before)
        await page.waitForTimeout(100)
        return (await got()).length === before
      }, WAIT)
      .toBe(true)
    const { length } = await got()
    for (let body = 100; body <= 150; body++) await save(body)
    expect(await got()).toHaveLength(length)
    await look('visible')
    await expect.poll(async () => (await got()).slice(length), WAIT).toEqual([150])
    await save(151)
    await expect.poll(async () => (await got()).slice(length), WAIT).toEqual([150, 151])
  })
})
