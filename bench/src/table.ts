import type { Contender } from './contender.ts'
import type { DriverReport } from './driver.ts'
import { markdownTable, whole } from './markdown.ts'
import type { Plan } from './plan.ts'
import type { Runs } from './rounds.ts'

/** One question of the benchmark: which servers, how they are driven, and how the answer reads. */
export interface Table {
  readonly name: string
  readonly contenders: readonly Contender[]
  /** Numbers of connections, where the command line has none. */
  readonly sizes: readonly number[]
  /** For a first look, where those would take too long. */
  readonly quickSizes?: readonly number[]
  phasesOf(plan: Plan, connections: number): readonly string[]
  /** One run in a few words, while the others are still to come. */
  summaryOf(report: DriverReport): string
  answer(plan: Plan, runs: readonly Runs[]): Answer
}

/** Medians of all rounds, for people and for programs. */
export interface Answer {
  readonly markdown: string
  readonly rows: readonly object[]
}

export interface Column<Figures> {
  readonly title: string
  /** `base`: the figures of the server that the others are held against, at the same number of connections. */
  cell(figures: Figures, base: Figures | undefined): string
}

export interface TableInit<Figures extends object> extends Omit<Table, 'answer'> {
  readonly title: string
  /** What is measured, and how. */
  lead(plan: Plan): string
  /** Name of the server that the others are held against. */
  readonly base: string
  figuresOf(reports: readonly DriverReport[]): Figures
  readonly columns: readonly Column<Figures>[]
  /** Below the heading of each number of connections. */
  note(plan: Plan, connections: number): string
  /** What a line of the table needs besides its title. */
  remark(figures: Figures): string
  readonly footer: string
}

interface Row<Figures> {
  readonly server: string
  readonly connections: number
  /** Why there are no figures. */
  readonly problem?: string
  readonly figures?: Figures
}

export function createTable<Figures extends object>(init: TableInit<Figures>): Table {
  return {
    name: init.name,
    contenders: init.contenders,
    sizes: init.sizes,
    ...(init.quickSizes ? { quickSizes: init.quickSizes } : {}),
    phasesOf: init.phasesOf,
    summaryOf: init.summaryOf,
    answer(plan, runs) {
      const rows = runs.map(({ server, connections, reports, problem }): Row<Figures> => {
        if (problem !== undefined) return { server, connections, problem }
        return { server, connections, figures: init.figuresOf(reports) }
      })
      return {
        rows: rows.map(({ figures, ...row }) => ({ ...row, ...figures })),
        markdown: toMarkdown(init, plan, rows),
      }
    },
  }
}

function toMarkdown<Figures extends object>(
  init: TableInit<Figures>,
  plan: Plan,
  rows: readonly Row<Figures>[],
): string {
  const sizes = [...new Set(rows.map(({ connections }) => connections))]
  return [
    `# ${init.title}`,
    init.lead(plan),
    ...sizes.map((size) =>
      [
        `## ${whole(size)} connections`,
        init.note(plan, size),
        '',
        sizeTable(
          init,
          rows.filter(({ connections }) => connections === size),
        ),
      ].join('\n'),
    ),
    notesOf(init, rows),
    init.footer,
  ].join('\n\n')
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

function notesOf<Figures extends object>(init: TableInit<Figures>, rows: readonly Row<Figures>[]): string {
  const ran = init.contenders.filter(({ name }) => rows.some(({ server }) => server === name))
  return ran
    .map(({ name, title }) => {
      const figures = rows.find((row) => row.server === name && row.figures)?.figures
      return `- ${name}: ${title}${figures ? init.remark(figures) : ''}`
    })
    .join('\n')
}
