import { markdownTable, whole } from './markdown.ts'
import type { Plan } from './plan.ts'
import type { Row, TableInit } from './table.ts'
import { numberText, type Outcome } from './targets.ts'

/** A table for people: a section for each number of connections, with its targets below. */
export function tableMarkdown<Figures extends object>(
  init: TableInit<Figures>,
  plan: Plan,
  rows: readonly Row<Figures>[],
  outcomes: readonly Outcome[],
): string {
  const sizes = [...new Set(rows.map(({ connections }) => connections))]
  const sections = sizes.map((size) =>
    [
      ...(size === 0 ? [] : [`## ${whole(size)} connections`]),
      init.note(plan, size),
      '',
      sizeTable(
        init,
        rows.filter(({ connections }) => connections === size),
      ),
      ...targetsTable(outcomes.filter(({ connections }) => connections === size)),
    ].join('\n'),
  )
  return [`# ${init.title}`, init.lead(plan), ...sections, notesOf(init, rows), init.footer].join('\n\n')
}

function sizeTable<Figures extends object>(init: TableInit<Figures>, rows: readonly Row<Figures>[]): string {
  const base = rows.find(({ server }) => server === init.base)?.figures
  return markdownTable(
    ['server', ...init.columns.map(({ title }) => title)],
    rows.map(({ server, figures, problem }) => {
      const name = server === init.base ? `**${server}**` : server
      if (!figures) return [name, `no figures: ${problem}`, ...init.columns.slice(1).map(() => '–')]
      return [name, ...init.columns.map((column) => column.cell(figures, base))]
    }),
  )
}

function targetsTable(outcomes: readonly Outcome[]): readonly string[] {
  if (outcomes.length === 0) return []
  const lines = outcomes.map(({ what, goal, value, verdict }) => [what, goal, numberText(value), verdict])
  return ['', markdownTable(['target', 'goal', 'measured', ''], lines)]
}

function notesOf<Figures extends object>(init: TableInit<Figures>, rows: readonly Row<Figures>[]): string {
  const ran = init.contenders.filter(({ name }) => rows.some(({ server }) => server === name))
  const notes = ran.map(({ name, title }) => {
    const figures = rows.find((row) => row.server === name && row.figures)?.figures
    return `- ${name}: ${title}${figures ? init.remark(figures) : ''}`
  })
  const absent = init.contenders.flatMap(({ name, missing }) => {
    const why = missing?.()
    return why === undefined ? [] : [`- ${name}: not measured; ${why}`]
  })
  return [...notes, ...absent].join('\n')
}
