// The entries for frameworks, in the frameworks themselves, in Chromium.
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { bundle, type FrameworkServer, servePage } from '../support/framework-page.ts'

interface FrameworkWindow {
  readonly handled: readonly unknown[]
  readonly channel?: { readonly state: string; readonly position: string | undefined }
  setProps(props: { isShown: boolean; factor: number }): void
}

const WAIT = { timeout: 10_000, interval: 20 }

let browser: Browser
let server: FrameworkServer
let page: Page
let errors: string[]

beforeAll(async () => {
  browser = await launchBrowser()
})

afterAll(() => browser.close())

afterEach(async () => {
  await page.close()
  await server.close()
})

async function open(name: string): Promise<void> {
  server = await servePage(await bundle(name))
  page = await browser.newPage()
  errors = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('404')) errors.push(message.text())
  })
  await page.goto(server.url)
}

const text = (selector: string): Promise<string | null> => page.locator(selector).textContent(WAIT)
const handled = (): Promise<readonly unknown[]> => page.evaluate(() => (window as unknown as FrameworkWindow).handled)
const state = (): Promise<string | undefined> =>
  page.evaluate(() => (window as unknown as FrameworkWindow).channel?.state)
const position = (): Promise<string | undefined> =>
  page.evaluate(() => (window as unknown as FrameworkWindow).channel?.position)
const setProps = (isShown: boolean, factor: number): Promise<void> =>
  page.evaluate((props) => (window as unknown as FrameworkWindow).setProps(props), { isShown, factor })

describe.each(['react', 'vue', 'svelte'])('%s', (name) => {
  it('shows the newest, runs a handler once, always the one of now, and leaves nothing behind', async () => {
    await open(name)
    await expect.poll(() => text('#orders'), WAIT).toBe('open none')
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(() => text('#orders'), WAIT).toBe('open 1')
    expect(await handled()).toEqual([1])
    await setProps(true, 10)
    await server.channel.postMessageToAll('Number', 2)
    await expect.poll(handled, WAIT).toEqual([1, 20])
    await setProps(false, 1)
    await expect.poll(() => text('#away'), WAIT).toBe('away')
    // What comes while nothing listens.
    await server.channel.postMessageToAll('Number', 3)
    await expect.poll(position, WAIT).toMatch(/:3$/)
    await setProps(true, 1)
    await expect.poll(() => text('#orders'), WAIT).toBe('open none')
    await server.channel.postMessageToAll('Number', 4)
    await expect.poll(() => text('#orders'), WAIT).toBe('open 4')
    expect(await handled()).toEqual([1, 20, 4])
    expect(errors).toEqual([])
    expect(server.channel.connectionCount).toBe(1)
  })
})

describe('<server-message>', () => {
  it('shows the newest body, or a field of it, as text and never as markup', async () => {
    await open('element')
    await expect.poll(state, WAIT).toBe('open')
    await server.channel.postMessageToAll('Number', '<b onclick="alert(1)">1</b>')
    await server.channel.postMessageToAll('Order', { status: { text: 'approved' } })
    await expect.poll(() => text('#field'), WAIT).toBe('approved')
    expect(await text('#whole')).toBe('<b onclick="alert(1)">1</b>')
    await server.channel.postMessageToAll('Number', { id: 42 })
    await server.channel.postMessageToAll('Order', { constructor: 1 })
    await expect.poll(() => text('#whole'), WAIT).toBe('{"id":42}')
    await expect.poll(() => text('#field'), WAIT).toBe('')
    expect(await handled()).toHaveLength(4)
  })

  it('shares one connection, which goes with the last element and stays with one that is moved', async () => {
    await open('element')
    await expect.poll(state, WAIT).toBe('open')
    expect(server.channel.connectionCount).toBe(1)
    await page.evaluate(() => {
      const whole = document.getElementById('whole')
      document.getElementById('field')?.remove()
      if (whole) document.body.append(whole)
    })
    await server.channel.postMessageToAll('Number', 1)
    await expect.poll(() => text('#whole'), WAIT).toBe('1')
    await page.evaluate(() => document.getElementById('whole')?.setAttribute('sender', 'Another'))
    await server.channel.postMessageToAll('Number', 2)
    await server.channel.postMessageToAll('Another', 3)
    await expect.poll(() => text('#whole'), WAIT).toBe('3')
    expect(await handled()).toEqual([1, 3])
    await page.evaluate(() => document.getElementById('whole')?.remove())
    await expect.poll(() => server.channel.connectionCount, WAIT).toBe(0)
  })
})
