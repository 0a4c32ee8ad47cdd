import type { Contender } from './contender.ts'
import type { DriverReport } from './driver.ts'
import type { Plan } from './plan.ts'
import type { Runs } from './rounds.ts'
import { tableMarkdown } from './table-markdown.ts'
import { type Outcome, outcomesOf, type Target } from './targets.ts'

/** One question of the benchmark: which servers, how they are driven, and how the answer reads. */
export interface Table {
  readonly name: string
  readonly contenders: readonly Contender[]
  /** Numbers of connections, where the command line has none. */
  readonly sizes: readonly number[]
  /** For a first look, where those would take too long. */
  readonly quickSizes?: readonly number[]
  /** Names of the contenders that a first look is at; left out: all but those of others. */
  readonly quickServers?: readonly string[]
  /** Whether the command line may ask for other numbers of connections; left out: it may. */
  readonly hasFixedSizes?: boolean
  /**
   * So many messages, to few connections, run before what is measured, so that the code that is measured is compiled as in a
   * server that has run for a while. What clients cost is measured before. Left out: no message.
   */
  warmUpMessages?(plan: Plan): number
  phasesOf(plan: Plan, connections: number, server: string): readonly string[]
  /** One run in a few words, while the others are still to come. */
  summaryOf(report: DriverReport): string
  answer(plan: Plan, runs: readonly Runs[]): Answer
}

/** Medians of all rounds, for people and for programs. */
export interface Answer {
  readonly markdown: string
  readonly rows: readonly object[]
  readonly targets: readonly Outcome[]
}

/** The figures of all servers at all numbers of connections. */
export interface Measured<Figures> {
  /** Numbers of connections. */
  readonly sizes: readonly number[]
  /** Undefined where there are none. */
  of(server: string, connections: number): Figures | undefined
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
  figuresOf(reports: readonly DriverReport[], server: string): Figures
  readonly columns: readonly Column<Figures>[]
  readonly targets: readonly Target<Figures>[]
  /** Below the heading of each number of connections. */
  note(plan: Plan, connections: number): string
  /** What a line of the table needs besides its title. */
  remark(figures: Figures): string
  readonly footer: string
}

export interface Row<Figures> {
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
    ...(init.quickServers ? { quickServers: init.quickServers } : {}),
    hasFixedSizes: init.hasFixedSizes ?? false,
    ...(init.warmUpMessages ? { warmUpMessages: init.warmUpMessages } : {}),
    phasesOf: init.phasesOf,
    summaryOf: init.summaryOf,
    answer(plan, runs) {
      const rows = runs.map(({ server, connections, reports, problem }): Row<Figures> => {
        if (problem !== undefined) return { server, connections, problem }
        return { server, connections, figures: init.figuresOf(reports, server) }
      })
      const targets = outcomesOf(init.targets, measuredBy(rows))
      return {
        rows: rows.map(({ figures, ...row }) => ({ ...row, ...figures })),
        targets,
        markdown: tableMarkdown(init, plan, rows, targets),
      }
    },
  }
}

function measuredBy<Figures>(rows: readonly Row<Figures>[]): Measured<Figures> {
  return {
    sizes: [...new Set(rows.map(({ connections }) => connections))],
    of: (server, connections) => rows.find((row) => row.server === server && row.connections === connections)?.figures,
  }
}
