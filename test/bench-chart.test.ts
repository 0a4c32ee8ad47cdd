import { expect, test } from 'vitest'
import { drawChart } from '../bench/src/chart.ts'
import { JsonRecord } from '../bench/src/json-record.ts'

const row = (server: string, perCpuSecond: number) => ({
  server,
  connections: 1000,
  perCpuSecond,
  perCpuSecondLeast: perCpuSecond * 0.9,
  perCpuSecondMost: perCpuSecond * 1.1,
  payloadBytesPerDelivery: 263.9,
})

const results = {
  date: '2026-01-02 03:04 UTC',
  machine: { cpu: 'Fast & <small>', cores: 2, node: 'v20.20.2', loadBefore: 0.1 },
  plan: { rounds: 3 },
  tables: [
    { table: 'messages', rows: [row('serverchannel', 200_000), { server: 'broken', connections: 1000, problem: 'x' }] },
    { table: 'bursts', rows: [row('serverchannel', 3_000_000), row('nats', 1_500_000)] },
    { table: 'posting', rows: [] },
  ],
}

const draw = (...values: readonly object[]): string | undefined =>
  drawChart(...values.map((value) => new JsonRecord(value, 'the results')))

test('the chart has a bar for each server with figures, as long as its rate', () => {
  const chart = draw(results) ?? ''
  const widths = [...chart.matchAll(/<rect class="bar[^"]*" x="\d+" y="[\d.]+" width="([\d.]+)"/g)].map(([, width]) =>
    Number(width),
  )

  expect(widths).toHaveLength(3)
  const [, burst = 0, nats = 0] = widths
  expect(burst / nats).toBeCloseTo(2, 1)
  expect(chart.match(/class="bar ours"/g)).toHaveLength(2)
  expect(chart).not.toContain('broken')
  expect(chart).toContain('3.00M · 264 B')
})

test('the chart says where its figures come from, and that the machine was busy', () => {
  expect(draw(results)).toContain('medians of 3 rounds · 2 × Fast &amp; &lt;small&gt; · Node v20.20.2')
  expect(draw({ ...results, machine: { ...results.machine, loadBefore: 2 } })).toContain('which was busy')
})

test('the chart shows what several runs have measured, and says when the first one was', () => {
  const [messages, bursts] = results.tables
  const apart = draw({ ...results, tables: [messages] }, { ...results, date: '2027-01-01', tables: [bursts] })
  expect(apart).toBe(draw(results))
})

test('the chart is the same text for the same results', () => {
  expect(draw(results)).toBe(draw(structuredClone(results)))
})

test('there is no chart where nothing that it shows was measured', () => {
  expect(draw({ ...results, tables: [{ table: 'posting', rows: [] }] })).toBeUndefined()
})
