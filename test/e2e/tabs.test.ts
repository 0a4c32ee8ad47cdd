// One connection for all tabs of a browser, in Chromium: by a SharedWorker, and by the tab that leads.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { startTabsServer, type TabsServer, type TabsWindow } from '../support/tabs-page.ts'

const WAIT = { timeout: 20_000, interval: 50 }

let browser: Browser
let context: BrowserContext
let server: TabsServer
let proxy: CuttingProxy
let url: string

beforeAll(async () => {
  browser = await launchBrowser()
})

afterAll(() => browser.close())

beforeEach(async () => {
  server = await startTabsServer()
  proxy = new CuttingProxy(server.port)
  url = `http://127.0.0.1:${await proxy.listen()}/`
  context = await browser.newContext()
})

afterEach(async () => {
  await context.close()
  await proxy.close()
  await server.close()
})

async function open(query = ''): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url + query)
  await expect.poll(() => stateOf(page), WAIT).toBe('open')
  return page
}

const stateOf = (page: Page): Promise<string> =>
  page.evaluate(() => (window as unknown as TabsWindow).channel?.state ?? 'none')
const got = (page: Page): Promise<readonly unknown[]> => page.evaluate(() => (window as unknown as TabsWindow).got)

/** Posts numbers from one to the other, and waits until all pages have got what the test says they have got by now. */
async function post(first: number, last: number): Promise<void> {
  for (let number = first; number <= last; number++) await server.channel.postMessageToAll('Number', number)
}

const numbers = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

describe.each([
  ['a SharedWorker', ''],
  ['the tab that leads', '?no-worker'],
])('by %s', (_name, query) => {
  it('twenty tabs are one connection, and each gets each message once, in order', { timeout: 90_000 }, async () => {
    const pages: Page[] = []
    for (let tab = 0; tab < 20; tab++) pages.push(await open(query))
    expect(server.channel.connectionCount).toBe(1)
    await post(1, 50)
    for (const page of pages) await expect.poll(() => got(page), WAIT).toEqual(numbers(1, 50))
    // The network is cut under all of them.
    void post(51, 60)
    proxy.cut()
    for (const page of pages) await expect.poll(() => got(page), WAIT).toEqual(numbers(1, 60))
    expect(server.channel.connectionCount).toBe(1)
  })

  it('nothing is lost or doubled when the first tab is closed, or reloaded', { timeout: 60_000 }, async () => {
    const [first, second, third] = [await open(query), await open(query), await open(query)]
    await post(1, 5)
    await expect.poll(() => got(third), WAIT).toEqual(numbers(1, 5))
    const closing = [first.close(), second.reload()]
    await post(6, 30)
    await Promise.all(closing)
    await post(31, 40)
    await expect.poll(() => got(third), WAIT).toEqual(numbers(1, 40))
    // A reloaded page goes on from where it was.
    const all = (): Promise<unknown> => second.evaluate(() => JSON.parse(String(sessionStorage['all'])) as unknown)
    await expect.poll(all, WAIT).toEqual(numbers(1, 40))
    await expect.poll(() => server.channel.connectionCount, WAIT).toBe(1)
  })

  it('calls of several tabs get their own answers', async () => {
    const [first, second] = [await open(query), await open(query)]
    const ping = (page: Page): Promise<unknown> =>
      page.evaluate(() => (window as unknown as TabsWindow).channel.invoke('Ping'))
    expect(await Promise.all([ping(first), ping(second), ping(first)])).toEqual(['Pong!', 'Pong!', 'Pong!'])
  })

  it('the connection is gone with the last tab', async () => {
    const [first, second] = [await open(query), await open(query)]
    await first.close()
    await post(1, 3)
    await expect.poll(() => got(second), WAIT).toEqual([1, 2, 3])
    await second.close()
    await expect.poll(() => server.channel.connectionCount, WAIT).toBe(0)
  })
})

it('a tab that does not want to share has a connection of its own, and so has another user', async () => {
  await open()
  await open('?alone')
  await open('?user=ann')
  expect(server.channel.connectionCount).toBe(3)
  await open('?user=ann')
  expect(server.channel.connectionCount).toBe(3)
})
