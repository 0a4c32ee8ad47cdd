import type { Measured } from './table.ts'

/** What a figure has to reach. Ratios are those of medians of one run. */
export interface Target<Figures> {
  /** The figure in words, with what it is held against. */
  readonly what: string
  /** Holds at this number of connections only; left out: at each. */
  readonly connections?: number
  readonly atLeast?: number
  readonly atMost?: number
  /** Undefined where a server that it takes is not there. */
  value(measured: Measured<Figures>, connections: number): number | undefined
}

/** How a run stands to a target. */
export interface Outcome {
  readonly what: string
  readonly connections: number
  readonly goal: string
  readonly value: number
  readonly isReached: boolean
  /** `reached`, or how far it is from that. */
  readonly verdict: string
}

export function outcomesOf<Figures>(
  targets: readonly Target<Figures>[],
  measured: Measured<Figures>,
): readonly Outcome[] {
  return measured.sizes.flatMap((size) =>
    targets
      .filter(({ connections }) => connections === undefined || connections === size)
      .flatMap((target) => {
        const value = target.value(measured, size)
        return value === undefined ? [] : [outcomeOf(target, size, value)]
      }),
  )
}

function outcomeOf<Figures>({ what, atLeast, atMost }: Target<Figures>, connections: number, value: number): Outcome {
  const isReached = (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost)
  const goal = [
    ...(atLeast === undefined ? [] : [`at least ${numberText(atLeast)}`]),
    ...(atMost === undefined ? [] : [`at most ${numberText(atMost)}`]),
  ].join(', ')
  const verdict = isReached ? 'reached' : missedBy(value, atLeast, atMost)
  return { what, connections, goal, value, isReached, verdict }
}

function missedBy(value: number, atLeast: number | undefined, atMost: number | undefined): string {
  if (atLeast !== undefined && value < atLeast) return `not reached: ${(value / atLeast).toFixed(2)} of it`
  return atMost ? `not reached: ${(value / atMost).toFixed(2)} times that` : 'not reached'
}

/** Three digits that count, whole above a thousand. */
export function numberText(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/** The quotient where both are there. */
export function quotient(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || !base ? undefined : value / base
}
