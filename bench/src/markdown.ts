import type { Latency, Throughput } from './figures.ts'

export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n')
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}

/** `181k (141k – 184k)` */
export function rate({ perCpuSecond, perCpuSecondLeast, perCpuSecondMost }: Throughput): string {
  const least = short(perCpuSecondLeast)
  const most = short(perCpuSecondMost)
  return short(perCpuSecond) + (least === most ? '' : ` (${least} – ${most})`)
}

/** How often the base's rate fits into this one. */
export function ratio(rates: Throughput, base: Throughput | undefined): string {
  return base ? (rates.perCpuSecond / base.perCpuSecond).toFixed(2) : '–'
}

export function percentiles({ latencyP50Ms, latencyP99Ms }: Latency): string {
  return `${milliseconds(latencyP50Ms)} / ${milliseconds(latencyP99Ms)}`
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function kibibytes(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`
}

export function short(value: number): string {
  if (value >= 1_000_000) return `${(value / 1_000_000).toFixed(2)}M`
  return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)}k`
}

export function milliseconds(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0)
}

export function mebibytes(bytes: number): string {
  return `${whole(bytes / 2 ** 20)} MiB`
}
