import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { launchBrowser } from '../support/browser.ts'
import { startClientServer } from '../support/client-page.ts'
import { describePostgres } from '../support/postgres-scene.ts'

/** `COMMITS=1000 npx vitest run test/stores/commit-to-browser.test.ts` */
const COMMITS = Number(process.env['COMMITS'] ?? 100)
const WARM_UP_COMMITS = 50
const EVERY_MS = 10
const CLOCK_ASKS = 50

const now = (): number => performance.timeOrigin + performance.now()

describePostgres('a commit', [], (postgres) => {
  it('is told to a page in Chromium, each one, in order; how soon is printed', { timeout: 120_000 }, async () => {
    const store = await postgres().createDatabase()
    const server = await startClientServer({ store })
    onTestFinished(() => server.close())
    const browser = await launchBrowser()
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    await page.goto(server.url)
    await page.evaluate(async () => {
      const scope = window as unknown as {
        open(options: object): Promise<void>
        channel: { onMessage(handler: (message: { Body: number }) => void): void }
        seen: [number, number][]
      }
      scope.seen = []
      await scope.open({})
      scope.channel.onMessage(({ Body }) => scope.seen.push([Body, performance.timeOrigin + performance.now()]))
    })
    const client = new Client({ connectionString: store })
    await client.connect()
    onTestFinished(() => client.end())
    const committed: number[] = []
    for (let number = 0; number < WARM_UP_COMMITS + COMMITS; number++) {
      await client.query('BEGIN')
      await client.query("SELECT serverchannel.post_message_to_all('Committed', to_jsonb($1::int))", [number])
      committed.push(now())
      await client.query('COMMIT')
      await sleep(EVERY_MS)
    }
    const seen = (): Promise<[number, number][]> =>
      page.evaluate(() => (window as unknown as { seen: [number, number][] }).seen)
    await expect.poll(async () => (await seen()).length, { timeout: 20_000 }).toBe(committed.length)
    // How far the page's clock is ahead of ours: the quickest of several answers knows best.
    let ahead = { tookMs: Number.POSITIVE_INFINITY, ms: 0 }
    for (let ask = 0; ask < CLOCK_ASKS; ask++) {
      const asked = now()
      const said = await page.evaluate(() => performance.timeOrigin + performance.now())
      const tookMs = now() - asked
      if (tookMs < ahead.tookMs) ahead = { tookMs, ms: said - asked - tookMs / 2 }
    }
    const histogram = createHistogram()
    for (const [index, [number, at]] of (await seen()).entries()) {
      expect(number).toBe(index)
      const took = at - ahead.ms - (committed[number] ?? 0)
      if (number >= WARM_UP_COMMITS) histogram.record(Math.max(1, Math.round(took * 1000)))
    }
    const [p50, p99] = [50, 99].map((share) => (histogram.percentile(share) / 1000).toFixed(1))
    console.log(
      `from COMMIT to the page's handler: p50 ${p50} ms, p99 ${p99} ms; the clocks are told apart to ${ahead.tookMs.toFixed(1)} ms`,
    )
  })
})
