import type { JsonRecord } from './json-record.ts'
import { short, whole } from './markdown.ts'
import { OURS } from './message-servers.ts'

interface Bar {
  readonly server: string
  /** Of a frame's payload: bursts cost by the byte. */
  readonly bytes: number
  readonly rate: number
  readonly least: number
  readonly most: number
}

interface Panel {
  readonly title: string
  readonly bars: readonly Bar[]
}

const PANELS: readonly (readonly [table: string, title: string])[] = [
  ['messages', 'one message at a time'],
  ['bursts', 'in bursts'],
]

const WIDTH = 760
const MARGIN = 20
const LABEL_WIDTH = 150
const VALUE_WIDTH = 110
const BAR_HEIGHT = 18
const BAR_STEP = 26
const TITLE_HEIGHT = 44
const HEAD_HEIGHT = 62
const FOOT_HEIGHT = 34

/**
 * Deliveries per CPU-second by server as an SVG, one panel for each table and number of connections, from what runs on one
 * machine have written as JSON; the same text for the same results. Undefined where neither table is in them.
 */
export function drawChart(...results: readonly JsonRecord[]): string | undefined {
  const tables = results.flatMap((run) => run.list('tables'))
  const panels = PANELS.flatMap(([name, title]) => {
    const table = tables.find((one) => one.text('table') === name)
    return table ? panelsOf(table.list('rows'), title) : []
  })
  const [first] = results
  if (panels.length === 0 || !first) return undefined
  let top = HEAD_HEIGHT
  const parts = panels.map((panel) => {
    const part = panelMarkup(panel, top)
    top += TITLE_HEIGHT + panel.bars.length * BAR_STEP
    return part
  })
  const height = top + FOOT_HEIGHT
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Deliveries per CPU-second by server">`,
    STYLE,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    text(MARGIN, 28, 'head', 'Deliveries per CPU-second, messages to all'),
    text(
      MARGIN,
      47,
      'small',
      'More is better. B: bytes in a frame. Thin lines: from the least to the most of all rounds.',
    ),
    ...parts,
    text(MARGIN, height - 14, 'small', originOf(first)),
    '</svg>',
    '',
  ].join('\n')
}

const STYLE = `<style>
  text { font-family: system-ui, sans-serif; font-size: 13px; fill: #24292f }
  .head { font-size: 17px; font-weight: 600 } .title { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
  .ground { fill: #ffffff } .bar { fill: #afb8c1 } .ours { fill: #0969da } .spread { stroke: #24292f; stroke-width: 1 }
  .name, .value { dominant-baseline: central } .name { text-anchor: end }
</style>`

/** Rows without figures are left out: the table says why there are none. */
function panelsOf(rows: readonly JsonRecord[], title: string): readonly Panel[] {
  const measured = rows.filter((row) => row.has('perCpuSecond'))
  const sizes = [...new Set(measured.map((row) => row.number('connections')))]
  return sizes.map((size) => ({
    title: `${whole(size)} connections, ${title}`,
    bars: measured
      .filter((row) => row.number('connections') === size)
      .map((row) => ({
        server: row.text('server'),
        bytes: Math.round(row.number('payloadBytesPerDelivery')),
        rate: row.number('perCpuSecond'),
        least: row.number('perCpuSecondLeast'),
        most: row.number('perCpuSecondMost'),
      })),
  }))
}

function panelMarkup({ title, bars }: Panel, top: number): string {
  const most = Math.max(...bars.map((bar) => bar.most), 1)
  const scale = (WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH) / most
  const lines = bars.map((bar, index) => barMarkup(bar, top + TITLE_HEIGHT - 12 + index * BAR_STEP, scale))
  return [text(MARGIN, top + 18, 'title', title), ...lines].join('\n')
}

function barMarkup({ server, bytes, rate, least, most }: Bar, top: number, scale: number): string {
  const left = MARGIN + LABEL_WIDTH
  const middle = top + BAR_HEIGHT / 2
  const isOurs = server.startsWith(OURS)
  const spread =
    least === most
      ? ''
      : `<line class="spread" x1="${at(left + least * scale)}" x2="${at(left + most * scale)}" y1="${middle}" y2="${middle}"/>`
  return [
    text(left - 8, middle, 'name', server),
    `<rect class="bar${isOurs ? ' ours' : ''}" x="${left}" y="${top}" width="${at(rate * scale)}" height="${BAR_HEIGHT}"/>`,
    spread,
    text(at(left + most * scale + 6), middle, 'value', `${short(rate)} · ${bytes} B`),
  ].join('')
}

function originOf(results: JsonRecord): string {
  const machine = results.record('machine')
  const rounds = results.record('plan').number('rounds')
  const busy = machine.number('loadBefore') > 0.5 ? ', which was busy' : ''
  return (
    `${results.text('date')} · ${rounds === 1 ? 'one round' : `medians of ${rounds} rounds`} · ` +
    `${machine.number('cores')} × ${machine.text('cpu')}${busy} · Node ${machine.text('node')}`
  )
}

function text(x: number, y: number, name: string, content: string): string {
  return `<text class="${name}" x="${x}" y="${y}">${escape(content)}</text>`
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function at(pixels: number): number {
  return Math.round(pixels * 10) / 10
}
