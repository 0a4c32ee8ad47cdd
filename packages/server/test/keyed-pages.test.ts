import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { HttpPoster } from '../src/http-poster.ts'
import { openClient, type SocketClient, serveChannel } from './served-channel.ts'
import { until } from './until.ts'

const SAVES = 10_000
/** Saves before those, of 128 KiB each. */
const LARGE = 200

interface Saved {
  readonly save: number
}

const savesOf = (page: SocketClient): number[] => page.bodies().map((body) => (body as Saved).save)

/** Looks at the newest record only: there are megabytes before it. */
const isAtLast = (page: SocketClient): boolean => page.records.at(-1)?.includes(`{"save":${SAVES}}`) ?? false

const lines = (more: object): string =>
  Array.from({ length: SAVES }, (_, index) =>
    JSON.stringify({ sender: 'OrderChanged', key: 'order:42', body: { save: index + 1 }, ...more }),
  ).join('\n')

async function postLines(url: string, body: string): Promise<void> {
  const headers = { 'Content-Type': 'application/x-ndjson' }
  const response = await fetch(`${url}/api/messages`, { method: 'POST', headers, body })
  expect(response.status).toBe(201)
  expect((await response.text()).trim().split('\n')).toHaveLength(SAVES)
}

describe('ten thousand saves of one record', () => {
  it('cost a page that reads too slowly a handful of refreshes, and it ends on the last state', async () => {
    const { channel, url, port } = await serveChannel({ development: true })
    const [slow, quick] = [await openClient(port), await openClient(port)]
    slow.socket.pause()
    // More than what the operating system takes for a page that reads nothing.
    const large = { save: 0, text: 'x'.repeat(128 * 1024) }
    for (let posted = 0; posted < LARGE; posted++) {
      await channel.post({ sender: 'OrderChanged', key: 'order:42', body: large })
      await new Promise((resolve) => setImmediate(resolve))
    }
    await postLines(url, lines({}))
    await until(() => isAtLast(quick), 'the quick page is at the last state', 15_000)
    slow.socket.resume()
    await until(() => isAtLast(slow), 'the slow page is at the last state', 15_000)
    const [saves, before] = [savesOf(slow).filter((save) => save > 0), savesOf(slow).filter((save) => save === 0)]
    expect(before.length).toBeLessThan(LARGE)
    expect(saves.length).toBeLessThanOrEqual(5)
    expect(saves).toEqual(saves.toSorted((a, b) => a - b))
  }, 60_000)

  it('cost a page that was away one refresh', async () => {
    const { channel, url, port } = await serveChannel({ development: true })
    const { position } = channel
    await postLines(url, lines({}))
    const page = await openClient(port, `/msg?position=${position}`)
    await until(() => page.records.some((record) => record.includes('"recovered":true')), 'all has come')
    expect(savesOf(page)).toEqual([SAVES])
  })

  it('cost a page that reads quickly one refresh in each interval, where they ask for one', async () => {
    const { url, port } = await serveChannel({ development: true })
    const page = await openClient(port)
    const intervalMs = 100
    const start = performance.now()
    await postLines(url, lines({ intervalMs }))
    await until(() => isAtLast(page), 'the last state has come', 15_000)
    const intervals = (performance.now() - start) / intervalMs
    expect(savesOf(page)[0]).toBe(1)
    expect(savesOf(page).length).toBeLessThanOrEqual(intervals + 2)
  })
})

it('a key goes over HTTP from any process', async () => {
  const { channel, url, port } = await serveChannel({ development: true })
  const { position } = channel
  const poster = new HttpPoster({ url, logger: pino({ level: 'silent' }) })
  for (const body of [1, 2]) await poster.post({ sender: 'S', key: '__proto__', intervalMs: 50, body })
  await channel.postMessageToAll('S', 3, { key: 'other' })
  const page = await openClient(port, `/msg?position=${position}`)
  await until(() => page.bodies().length === 2, 'both keys have come')
  expect(page.bodies()).toEqual([2, 3])
})
