import { request } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { startCrm } from '../src/crm.ts'
import { closeAll, openWindow, startTestCrm } from './crm-under-test.ts'

afterEach(closeAll)

describe('the web service', () => {
  test('recalculates and posts the ids as a list, which arrives as an array', async () => {
    const crm = await startTestCrm()
    const window = await openWindow(crm, 'boris')
    const answer = await fetch(`${crm.url}/rest/OrderService/Recalculate`, { method: 'POST' })
    expect(await answer.json()).toEqual({ recalculated: [41, 42, 43, 44, 45, 46] })
    const { Body } = await window.message('OrdersRecalculated')
    expect(Body).toEqual([41, 42, 43, 44, 45, 46])
    const orders = (await (await fetch(`${crm.url}/api/orders`)).json()) as { id: number; totalCents: number }[]
    expect(orders.find(({ id }) => id === 43)?.totalCents).toBe(2_610_000)
  })

  test('a changed quantity tells every page which order it is', async () => {
    const crm = await startTestCrm()
    const window = await openWindow(crm, 'boris')
    const answer = await put(`${crm.url}/orders/44/lines/2`, JSON.stringify({ quantity: 4 }))
    expect(answer.status).toBe(200)
    expect((await window.message('OrderChanged')).Body).toEqual({ id: 44 })
  })
})

describe('pages', () => {
  test('are served with a policy that lets in no foreign script', async () => {
    const crm = await startTestCrm()
    for (const path of ['/', '/orders/42']) {
      const page = await fetch(`${crm.url}${path}`)
      expect(page.status).toBe(200)
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(page.headers.get('content-security-policy')).toContain("script-src 'self';")
    }
  })

  test('ask for nothing that is not there', async () => {
    const crm = await startTestCrm()
    for (const page of ['/', '/orders/42']) {
      const html = await (await fetch(`${crm.url}${page}`)).text()
      const wanted = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, url]) => url ?? '')
      expect(wanted.length).toBeGreaterThan(2)
      for (const url of wanted.filter((path) => path.startsWith('/files/'))) {
        expect([url, (await fetch(`${crm.url}${url}`)).status]).toEqual([url, 200])
      }
    }
  })
})

describe('what goes wrong is answered as problem+json', () => {
  test.each([
    ['GET', '/orders/7', 404],
    ['GET', '/orders/forty-two', 404],
    ['GET', '/nowhere', 404],
    ['GET', '/files/..%2Fpackage.json', 404],
    ['DELETE', '/orders/42', 405],
    ['POST', '/orders/42/approval', 400],
    ['POST', '/orders/42/approval/approve?user=anna', 409],
    ['PUT', '/orders/42/lines/1', 415],
  ])('%s %s is %i', async (method, path, status) => {
    const crm = await startTestCrm()
    const answer = await fetch(`${crm.url}${path}`, { method })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer.json()).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) })
    expect(answer.headers.get('allow')).toBe(status === 405 ? 'GET' : null)
  })

  test('a body that is no JSON, no object or too long', async () => {
    const crm = await startTestCrm()
    const url = `${crm.url}/orders/44/lines/2`
    expect((await put(url, '{')).status).toBe(400)
    expect((await put(url, '[1]')).status).toBe(400)
    expect((await put(url, '{}')).status).toBe(400)
    expect((await put(url, JSON.stringify({ quantity: 1, filler: 'x'.repeat(65_536) }))).status).toBe(413)
  })

  test('pages of other sites, and names that were made to point here', async () => {
    const crm = await startTestCrm()
    const url = `${crm.url}/rest/OrderService/Recalculate`
    const foreign = await fetch(url, { method: 'POST', headers: { Origin: 'https://evil.example' } })
    expect(foreign.status).toBe(403)
    expect(await statusWithHost(crm.url, 'evil.example')).toBe(403)
  })

  test('a port that is taken', async () => {
    const crm = await startTestCrm()
    const port = Number(new URL(crm.url).port)
    await expect(startCrm({ port, database: ':memory:' })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

const put = (url: string, body: string): Promise<Response> =>
  fetch(url, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body })

/** `fetch` doesn't let one choose the host. */
function statusWithHost(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const call = request(url, { headers: { Host: host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    call.on('error', reject).end()
  })
}
