import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { drawChart } from './chart.ts'
import { UsageError } from './flags.ts'
import { JsonRecord } from './json-record.ts'
import type { Cores, Machine } from './machine.ts'
import type { Plan } from './plan.ts'
import type { Runs } from './rounds.ts'
import type { Answer } from './table.ts'

const resultsFolder = fileURLToPath(new URL('../results', import.meta.url))
/** The chart that the documentation shows. */
const chartFile = fileURLToPath(new URL('../../docs/images/deliveries.svg', import.meta.url))

/** What a run has found, as it is written. */
export interface Results {
  readonly date: string
  readonly machine: Machine
  readonly cores: Cores
  readonly plan: Plan
  readonly tables: readonly TableResults[]
}

export interface TableResults extends Pick<Answer, 'rows' | 'targets'> {
  readonly table: string
  readonly runs: readonly Runs[]
}

/** Writes `bench/results/NAME.md`, `.json` and, where there is one to draw, `.svg`. @returns the JSON */
export function writeResults(name: string, markdown: string, results: Results): string {
  const json = JSON.stringify(results, null, 2)
  mkdirSync(resultsFolder, { recursive: true })
  writeFileSync(join(resultsFolder, `${name}.md`), `${markdown}\n`)
  writeFileSync(join(resultsFolder, `${name}.json`), `${json}\n`)
  const chart = drawChart(JsonRecord.parse(json, 'the results'))
  if (chart !== undefined) writeFileSync(join(resultsFolder, `${name}.svg`), chart)
  return json
}

/** Draws the documentation's chart from results that were written before. @returns where it is */
export function writeChart(names: readonly string[]): string {
  const results = names.map((name) => JsonRecord.parse(readResults(name), `bench/results/${name}.json`))
  const chart = drawChart(...results)
  if (chart === undefined) {
    throw new UsageError(`--chart: neither of the tables messages and bursts is in the results of ${names.join(', ')}.`)
  }
  mkdirSync(dirname(chartFile), { recursive: true })
  writeFileSync(chartFile, chart)
  return 'docs/images/deliveries.svg'
}

function readResults(name: string): string {
  try {
    return readFileSync(join(resultsFolder, `${name}.json`), 'utf8')
  } catch (cause) {
    throw new UsageError(`--chart: there is no bench/results/${name}.json.`, { cause })
  }
}
