// Creatio's names in Chromium: PARITY 2 and 6, the main path.
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { type CreatioServer, startCreatioServer } from '../support/creatio-page.ts'
import { CuttingProxy } from '../support/cutting-proxy.ts'

const CUTS = 20
const WAIT = { timeout: 15_000, interval: 20 }

interface Got {
  readonly message: ReadonlyArray<{ readonly Header: { readonly Sender: string }; readonly Body: unknown }>
  readonly opened: readonly unknown[]
  readonly closed: readonly unknown[]
  readonly error: ReadonlyArray<{ readonly message: string }>
  readonly BroadcastMsg: readonly unknown[]
  readonly PTPMsg: readonly unknown[]
  readonly isSame?: boolean
}

let browser: Browser
let context: BrowserContext
let server: CreatioServer
let proxy: CuttingProxy
let origin: string

beforeAll(async () => {
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser.close()
})

beforeEach(async () => {
  server = await startCreatioServer()
  proxy = new CuttingProxy(server.port)
  origin = `http://127.0.0.1:${await proxy.listen()}`
  context = await browser.newContext()
})

afterEach(async () => {
  await context.close()
  await proxy.close()
  await server.close()
})

/** A tab that is connected. */
async function open(path = '/'): Promise<Page> {
  const page = await context.newPage()
  await page.goto(origin + path)
  await expect.poll(async () => (await got(page)).opened, WAIT).toHaveLength(1)
  return page
}

function got(page: Page): Promise<Got> {
  return page.evaluate('JSON.parse(JSON.stringify(got))')
}

async function bodies(page: Page): Promise<unknown[]> {
  return (await got(page)).message.map(({ Body }) => Body)
}

describe('bodies', () => {
  const megabyte = 'x'.repeat(1_000_000)

  it.each([
    ['an empty text', ''],
    ['"null"', 'null'],
    ['"5"', '5'],
    ['a text', 'abc'],
    ['a list', [1, 2]],
    ['an object', { id: 42, Ünï: ['😀'] }],
    ['a megabyte', megabyte],
    ['emoji', '👩‍👩‍👧 😀'],
    ['half of an emoji', 'a\ud83db'],
    ['its other half', { text: ['\ude00'] }],
  ])('arrive as they were posted: %s', async (_what, body) => {
    const page = await open()
    await server.channel.postMessageToAll('Body', body)
    await expect.poll(async () => (await got(page)).message.length, WAIT).toBe(1)
    // As JSON, in which half an emoji is escaped: what takes it from page to test would replace it.
    expect(await page.evaluate('JSON.stringify(got.message[0].Body)')).toBe(JSON.stringify(body))
    expect(await page.evaluate('typeof got.message[0].Body')).toBe(typeof body)
  })
})

describe('a handler', () => {
  it(`is called once for each message over ${CUTS} cuts, with init() called again and again`, async () => {
    const page = await open()
    const expected: number[] = []
    for (let cut = 0; cut < CUTS; cut++) {
      await page.evaluate('Terrasoft.ServerChannel.init(); Terrasoft.ServerChannel.init()')
      for (let n = 0; n < 3; n++) {
        expected.push(expected.length)
        void server.channel.postMessageToAll('Order', expected.length - 1)
        if (n === 1) proxy.cut()
      }
      await page.evaluate('Terrasoft.ServerChannel.init(); Terrasoft.ServerChannel.init()')
      await expect.poll(async () => (await bodies(page)).length, WAIT).toBe(expected.length)
    }
    expect(await bodies(page)).toEqual(expected)
    const { opened, closed } = await got(page)
    expect(closed.length).toBe(CUTS)
    expect(opened.length).toBeGreaterThan(CUTS)
  })
})

describe('the console', () => {
  it('shows the connection and pong', async () => {
    const page = await context.newPage()
    const lines: string[] = []
    page.on('console', (line) => lines.push(line.text()))
    await page.goto(`${origin}/`)
    const address = `${origin.replace('http:', '')}/msg`
    const line = expect.stringMatching(new RegExp(`^SignalR hub connected for url: (?:ws|http):${address}$`)) as string
    await expect.poll(() => lines, WAIT).toEqual([line])
    await page.evaluate('Terrasoft.ServerChannel.ping()')
    await expect.poll(() => lines.at(-1), WAIT).toBe('pong')
    // As the other edition asks it.
    await page.evaluate(
      `Terrasoft.ServerChannel.postMessage({ Header: { Sender: Terrasoft.ServerChannelSender.CONSOLE_COMMAND }, Body: 'ping' })`,
    )
    await expect.poll(() => lines.at(-1), WAIT).toBe('Server said: pong')
  })
})

describe('two tabs and two users', () => {
  it('send to their own tabs, and to all', async () => {
    const [ann, annToo, bob] = [await open('/?user=ann'), await open('/?user=ann'), await open('/?user=bob')]
    await ann.evaluate(`new ServerChannel.MessageChannelService()
      .sendMessage('Draft', { id: 7 }, ServerChannel.MessageChannelType.PTP)`)
    await ann.evaluate(`Terrasoft.ServerChannel.postMessage({ Header: { Sender: 'PTPMsg' }, Body: '{"tab":2}' })`)
    await ann.evaluate(`Terrasoft.ServerChannel.broadcastMessage({ event: 'Saved', name: '😀' })`)
    for (const page of [ann, annToo, bob]) {
      await expect.poll(async () => (await got(page)).BroadcastMsg, WAIT).toEqual([{ event: 'Saved', name: '😀' }])
    }
    for (const page of [ann, annToo]) {
      const { message, PTPMsg } = await got(page)
      expect(PTPMsg).toEqual([{ tab: 2 }])
      expect(message).toMatchObject([{ Header: { Sender: 'Draft', SentBy: { User: 'ann' } }, Body: '{"id":7}' }])
    }
    expect(await got(bob)).toMatchObject({ message: [], PTPMsg: [] })
  })

  it('may not send under the server’s own senders, nor what no policy lets pass', async () => {
    const [ann, bob] = [await open('/?user=ann'), await open('/?user=bob')]
    const send = (sender: string): Promise<unknown> =>
      ann.evaluate(`Terrasoft.ServerChannel.postMessage({ Header: { Sender: '${sender}' }, Body: 'restart' })
        .then(function() { return 'sent' }, function(error) { return error.message })`)
    expect(await send('CommandService')).toMatch(/sender_reserved/)
    expect(await send('ProcessEngine')).toMatch(/sender_reserved/)
    expect(await send('Order')).toMatch(/message_refused/)
    expect((await got(ann)).error).toHaveLength(3)
    await server.channel.postMessageToAll('Last', 1)
    await expect.poll(async () => (await got(bob)).message, WAIT).toMatchObject([{ Header: { Sender: 'Last' } }])
  })
})

describe('the message bridge', () => {
  const BRIDGE = `
    var heard = []
    Terrasoft.createMessageBridge({
      messages: { Order: { mode: Terrasoft.MessageMode.BROADCAST, direction: Terrasoft.MessageDirectionType.PUBLISH } },
      methods: {
        init: function() {
          this.callParent(arguments)
          this.addMessageConfig({ sender: 'Order', messageName: 'Order', isSaveHistory: true })
        }
      }
    })`
  const LISTEN = `
    var sandbox = Terrasoft.createSandbox('OrderPage')
    sandbox.registerMessages({
      Order: { mode: Terrasoft.MessageMode.BROADCAST, direction: Terrasoft.MessageDirectionType.SUBSCRIBE }
    })
    sandbox.subscribe('Order', function(body) { heard.push(body.id) })`
  async function arrived(page: Page, count: number): Promise<void> {
    await expect.poll(async () => (await got(page)).message.length, WAIT).toBe(count)
  }

  it('keeps in localStorage what nobody hears, for the next page, in order and once', async () => {
    const [page, other] = [await open(), await open()]
    for (const tab of [page, other]) await tab.evaluate(BRIDGE)
    for (const id of [1, 2, 3]) await server.channel.postMessageToAll('Order', `{"id":${id}}`)
    for (const tab of [page, other]) await arrived(tab, 3)
    const kept = await page.evaluate(`JSON.parse(localStorage.getItem('OrderSocketMsgHistory'))`)
    expect((kept as Array<{ msg: { id: number } }>).map(({ msg }) => msg.id)).toEqual([1, 2, 3])
    await page.reload()
    await page.evaluate(BRIDGE)
    await page.evaluate(LISTEN)
    await expect.poll(() => page.evaluate('heard'), WAIT).toEqual([1, 2, 3])
    expect(await other.evaluate(`localStorage.getItem('OrderSocketMsgHistory')`)).toBeNull()
  })
})

describe('with RequireJS', () => {
  it.each([
    ['the loader loads the script', '/amd'],
    ['a tag does', '/amd-tag'],
  ])('a page gets its messages where %s', async (_how, path) => {
    const page = await context.newPage()
    const failures: string[] = []
    page.on('pageerror', (error) => failures.push(error.message))
    await page.goto(origin + path)
    await expect.poll(() => page.evaluate('window.BPMSoft && BPMSoft.ServerChannel.isOpened'), WAIT).toBe(true)
    await server.channel.postMessageToAll('Order', [1, 2])
    await expect.poll(() => bodies(page), WAIT).toEqual([[1, 2]])
    expect(await page.evaluate('typeof Terrasoft')).toBe('undefined')
    expect((await got(page)).isSame).toBe(true)
    expect(failures).toEqual([])
  })
})
