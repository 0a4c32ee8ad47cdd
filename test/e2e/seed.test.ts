import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'
import { type SeedServer, startSeedServer } from '../support/seed-page.ts'

const CUTS = 20
const WAIT = { timeout: 15_000, interval: 20 }

interface Handled {
  readonly value: unknown
  readonly isArray: boolean
  readonly isOwnThis: boolean
  readonly isChannel: boolean
}

/** What the seed's page keeps for the test. */
interface SeedWindow {
  readonly handled: readonly Handled[]
  readonly opened: readonly unknown[]
  /** Bodies of all messages, whoever handles them. */
  readonly arrived: readonly unknown[]
  readonly page: { init(): void; destroy(): void }
}

let browser: Browser
let server: SeedServer
let proxy: CuttingProxy
let page: Page

beforeAll(async () => {
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser.close()
})

beforeEach(async () => {
  server = await startSeedServer()
  proxy = new CuttingProxy(server.port)
  const port = await proxy.listen()
  page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${port}/`)
  await expect.poll(opened, WAIT).toHaveLength(1)
})

afterEach(async () => {
  await page.close()
  await proxy.close()
  await server.close()
})

function handled(): Promise<readonly Handled[]> {
  return page.evaluate(() => (window as unknown as SeedWindow).handled)
}

function opened(): Promise<readonly unknown[]> {
  return page.evaluate(() => (window as unknown as SeedWindow).opened)
}

function arrived(): Promise<readonly unknown[]> {
  return page.evaluate(() => (window as unknown as SeedWindow).arrived)
}

async function values(): Promise<unknown[]> {
  return (await handled()).map(({ value }) => value)
}

describe('the page code of the seed in Chromium', () => {
  it.each([
    ['a text', 'My message value'],
    ['an empty text', ''],
    ['a text that looks like JSON', '["not","a","list"]'],
    ['a number in a text', '5'],
    ['a list', [1, 'two', { three: [3] }]],
    ['an object', { id: 42, name: 'Ünïcödé 😀' }],
    ['null', null],
  ])('gets %s as itself', async (_name, body) => {
    await server.channel.postMessageToAll('SomeMessageId', body)
    await server.channel.postMessageToAll('AnotherMessageId', 'not for this page')
    await expect.poll(values, WAIT).toEqual([body])
    expect((await handled())[0]).toMatchObject({ isArray: Array.isArray(body), isOwnThis: true, isChannel: true })
  })

  it('gets nothing after destroy, and once each after a second init', async () => {
    await page.evaluate(() => (window as unknown as SeedWindow).page.destroy())
    await server.channel.postMessageToAll('SomeMessageId', 'unheard')
    await expect.poll(arrived, WAIT).toEqual(['unheard'])
    await page.evaluate(() => {
      const { page: seed } = window as unknown as SeedWindow
      seed.init()
      seed.init()
    })
    await server.channel.postMessageToAll('SomeMessageId', 'heard')
    await expect.poll(values, WAIT).toEqual(['heard'])
  })

  it(`handles each message once over ${CUTS} cuts, those of the time between included`, async () => {
    const expected: number[] = []
    for (let cut = 0; cut < CUTS; cut++) {
      for (let n = 0; n < 5; n++) {
        expected.push(expected.length)
        void server.channel.postMessageToAll('SomeMessageId', expected.length - 1)
        // In the middle of what is on its way.
        if (n === 2) proxy.cut()
      }
      await expect.poll(async () => (await values()).length, WAIT).toBe(expected.length)
    }
    expect(await values()).toEqual(expected)
    expect(proxy.connections).toBeGreaterThan(CUTS)
    const states = await opened()
    expect(states.slice(1).every((state) => (state as { recovered: boolean }).recovered)).toBe(true)
  })
})
