import type { Category, Check } from './check.ts'
import type { Result } from './run.ts'

export interface Summary {
  readonly passed: number
  readonly failed: Readonly<Record<Category, number>>
  readonly skipped: number
}

const MARKS = { pass: '✔', fail: '✘', skip: '–' } as const
const CATEGORY_WIDTH = 'recommended'.length
const ID_WIDTH = 12

/** One check as a line of `--list`. */
export function describeCheck({ id, category, title }: Check): string {
  return `${id.padEnd(ID_WIDTH)} ${category.padEnd(CATEGORY_WIDTH)} ${title}`
}

export function summarize(results: readonly Result[]): Summary {
  const failed = (category: Category): number =>
    results.filter(({ outcome, check }) => outcome === 'fail' && check.category === category).length
  return {
    passed: results.filter(({ outcome }) => outcome === 'pass').length,
    failed: { required: failed('required'), recommended: failed('recommended'), improvement: failed('improvement') },
    skipped: results.filter(({ outcome }) => outcome === 'skip').length,
  }
}

/** The table for people. An improvement that a server doesn't have is no fault of it. */
export function formatResults(results: readonly Result[]): string {
  const lines = results.flatMap((result) => {
    const { check, outcome } = result
    const line = `${MARKS[outcome]} ${describeCheck(check)}`
    if (result.outcome === 'fail') return [line, `    expected  ${result.expected}`, `    got       ${result.got}`]
    return [result.outcome === 'skip' ? `${line}  (skipped: ${result.reason})` : line]
  })
  const { passed, failed, skipped } = summarize(results)
  const total = `${results.length} checks: ${passed} pass; ${failed.required} required and ${failed.recommended} recommended ones fail`
  return [...lines, '', `${total}; ${failed.improvement} improvements are not there; ${skipped} skipped`].join('\n')
}

/** The results for machines. */
export function toJson(url: URL, results: readonly Result[]): object {
  return {
    url: url.href,
    summary: summarize(results),
    checks: results.map(({ check: { id, title, category }, ...rest }) => ({ id, category, title, ...rest })),
  }
}
