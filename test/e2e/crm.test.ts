import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { run } from '../support/cli-process.ts'
import { CrmProcess } from '../support/crm-process.ts'

/** Above the amount that somebody has to approve, and below it. */
const LARGE_ORDER = 42
const SMALL_ORDER = 41
const WAIT = { timeout: 15_000, interval: 50 }

let browser: Browser
let crm: CrmProcess
let database: string
const windows: BrowserContext[] = []

beforeAll(async () => {
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser.close()
})

beforeEach(async () => {
  database = join(mkdtempSync(join(tmpdir(), 'serverchannel-')), 'orders.db')
  crm = await CrmProcess.start(0, database)
})

afterEach(async () => {
  await crm.kill('SIGTERM')
  for (const window of windows.splice(0)) await window.close()
})

/** A window of its own, as this user, with the channel open. */
async function open(path: string, user: string): Promise<Page> {
  const window = await browser.newContext()
  windows.push(window)
  const page = await window.newPage()
  await page.goto(`${crm.url}${path}?user=${user}`)
  await page.locator('#connection-state[data-state=opened]').waitFor()
  return page
}

/** Bodies of the messages of a sender that reached the window, oldest first. */
async function bodies(page: Page, sender: string): Promise<unknown[]> {
  const found = await page.locator(`#messages li[data-sender="${sender}"]`).all()
  const texts = await Promise.all(found.map((item) => item.getAttribute('data-body')))
  return texts.reverse().map((text) => JSON.parse(text ?? '') as unknown)
}

function order(page: Page): ReturnType<Page['locator']> {
  return page.locator('#order')
}

describe('the example in Chromium', () => {
  it('refreshes the other windows while a process runs that was started in one', async () => {
    const anna = await open(`/orders/${LARGE_ORDER}`, 'anna')
    const boris = await open(`/orders/${LARGE_ORDER}`, 'boris')
    const list = await open('/', 'chen')
    await anna.locator('#start-process').click()
    // The diagram lights up in both, by messages.
    await boris.locator('#diagram[data-active~=Approve]').waitFor()
    await anna.locator('#diagram[data-active~=Approve]').waitFor()
    const late = await open(`/orders/${LARGE_ORDER}`, 'chen')
    await late.locator('#diagram[data-active~=Approve]').waitFor()
    await boris.locator('#approve').click()
    for (const page of [anna, boris, late]) {
      await page.locator('#order[data-status=Approved]').waitFor()
      await page.locator('#diagram[data-done~=TellOwner]').waitFor()
      expect(await bodies(page, 'OrderApproved')).toEqual([{ id: LARGE_ORDER, approvedBy: 'boris' }])
    }
    await expect
      .poll(() => list.locator(`tr[data-order-id="${LARGE_ORDER}"]`).textContent(), WAIT)
      .toContain('Approved')
    // What the script task changed is in the database: it is there after a restart.
    await crm.kill('SIGTERM')
    crm = await CrmProcess.start(Number(new URL(crm.url).port), database)
    const again = await open(`/orders/${LARGE_ORDER}`, 'anna')
    expect(await order(again).getAttribute('data-status')).toBe('Approved')
  })

  it('tells the user who started the process in his windows only', async () => {
    const anna = [await open(`/orders/${SMALL_ORDER}`, 'anna'), await open('/', 'anna')] as const
    const boris = await open(`/orders/${SMALL_ORDER}`, 'boris')
    await anna[0].locator('#start-process').click()
    await boris.locator('#order[data-process=ended]').waitFor()
    const toldOnly = async (page: Page): Promise<string[]> => {
      const senders = await page
        .locator('#messages li')
        .evaluateAll((items) => items.map((item) => (item as HTMLElement).dataset['sender'] ?? ''))
      return senders.filter(
        (sender) => !['ProcessStep', 'ProcessEnded', 'OrderApproved', 'OrderChanged'].includes(sender),
      )
    }
    for (const page of anna) await expect.poll(() => toldOnly(page), WAIT).toHaveLength(1)
    expect(await toldOnly(boris)).toEqual([])
  })

  it('tells everybody where the process’s element "post user message" says SendForAll', async () => {
    const source = readFileSync(
      fileURLToPath(new URL('../../examples/crm/process/order-approval.bpmn', import.meta.url)),
    )
    const changed = source.toString().replace('terrasoft:sendForAll="false"', 'terrasoft:sendForAll="true"')
    const file = join(dirname(database), 'changed.bpmn')
    writeFileSync(file, changed)
    await crm.kill('SIGTERM')
    crm = await CrmProcess.start(0, database, file)
    const pages = [await open(`/orders/${SMALL_ORDER}`, 'anna'), await open('/', 'boris')] as const
    await pages[0].locator('#start-process').click()
    for (const page of pages) {
      await expect.poll(() => bodies(page, 'YourOrderApproved'), WAIT).toEqual([`Order ${SMALL_ORDER} is approved.`])
    }
  })

  it('gets the list that the web service posts as an array, and a text from a terminal as that text', async () => {
    const anna = await open(`/orders/${LARGE_ORDER}`, 'anna')
    const list = await open('/', 'boris')
    const answer = await fetch(`${crm.url}/rest/OrderService/Recalculate`, { method: 'POST' })
    expect(answer.ok).toBe(true)
    await run(['post', 'SomeMessageId', '["My message value"]', '--url', crm.url])
    for (const page of [anna, list]) {
      await expect.poll(() => bodies(page, 'SomeMessageId'), WAIT).toEqual(['["My message value"]'])
      const [ids] = await bodies(page, 'OrdersRecalculated')
      expect(Array.isArray(ids)).toBe(true)
    }
  })

  it('gets nothing in the page handler after destroy', async () => {
    const anna = await open(`/orders/${LARGE_ORDER}`, 'anna')
    const count = (): Promise<number> =>
      anna.evaluate(
        () => (window as unknown as { page: { counts: Map<string, number> } }).page.counts.get('Probe') ?? 0,
      )
    await run(['post', 'Probe', '1', '--url', crm.url])
    await expect.poll(count, WAIT).toBe(1)
    await anna.evaluate(() => (window as unknown as { page: { destroy(): void } }).page.destroy())
    await run(['post', 'Probe', '2', '--url', crm.url])
    // The panel still listens, so the message has arrived.
    await expect.poll(() => bodies(anna, 'Probe'), WAIT).toEqual(['1', '2'])
    expect(await count()).toBe(1)
  })

  it('reconnects after the server was killed and says truthfully that history was lost', async () => {
    const anna = await open(`/orders/${LARGE_ORDER}`, 'anna')
    const list = await open('/', 'boris')
    await run(['post', 'Before', 'x', '--url', crm.url])
    await expect.poll(() => bodies(anna, 'Before'), WAIT).toEqual(['x'])
    await crm.kill('SIGKILL')
    for (const page of [anna, list]) await page.locator('#connection-state[data-state=closed]').waitFor()
    crm = await CrmProcess.start(Number(new URL(crm.url).port), database)
    for (const page of [anna, list]) {
      await page.locator('#connection-state[data-state=opened]').waitFor()
      await expect.poll(() => page.locator('#notice').textContent(), WAIT).toContain('epoch-changed')
    }
    await run(['post', 'After', 'y', '--url', crm.url])
    await expect.poll(() => bodies(anna, 'After'), WAIT).toEqual(['y'])
  })
})
