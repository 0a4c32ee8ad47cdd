import { inspect, isDeepStrictEqual } from 'node:util'
import type { Scene, Settings } from './scene.ts'

/**
 * `required`: clients break without it. `recommended`: .NET's server does so, and clients live without it.
 * `improvement`: better than .NET's server, which is expected to fail it.
 */
export type Category = 'required' | 'recommended' | 'improvement'

/** `together`: beside other checks. `alone`: it is seen by every connection. `last`: the server is gone afterwards. */
export type Phase = 'together' | 'alone' | 'last'

export interface CheckOptions {
  /** How long it takes of itself, besides the answers: where it has to let time pass. */
  readonly takesMs?: (settings: Settings) => number
  readonly phase?: Phase
}

export interface Check {
  /** The line of the specification, and a number within it. */
  readonly id: string
  /** What a server that passes does, in the present tense. */
  readonly title: string
  readonly category: Category
  readonly takesMs: (settings: Settings) => number
  readonly phase: Phase
  readonly run: (scene: Scene) => Promise<void>
}

type Define = (id: string, title: string, run: Check['run'], options?: CheckOptions) => Check

const define =
  (category: Category): Define =>
  (id, title, run, { takesMs = () => 0, phase = 'together' } = {}) => ({ id, title, category, takesMs, phase, run })

export const required: Define = define('required')
export const recommended: Define = define('recommended')
export const improvement: Define = define('improvement')

/** The server did something else than the check expects. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly expected: string
  readonly got: string

  constructor(expected: string, got: string) {
    super(`expected ${expected}, got ${got}`)
    this.expected = expected
    this.got = got
  }
}

/** The check says nothing about this server, for this reason. */
export class Skip extends Error {
  override readonly name = 'Skip'
}

/** @param what says what of the answer is looked at, where the value doesn't say it */
export function expectEqual(got: unknown, expected: unknown, what = ''): void {
  if (!isDeepStrictEqual(got, expected)) throw new Failure(label(what, show(expected)), show(got))
}

export function expectMatch(got: string | undefined, pattern: RegExp, what = ''): void {
  if (got === undefined || !pattern.test(got)) throw new Failure(label(what, String(pattern)), show(got))
}

export function expectThat(isSo: boolean, expected: string, got: unknown): asserts isSo {
  if (!isSo) throw new Failure(expected, show(got))
}

export function show(value: unknown): string {
  const text = inspect(value, { depth: 6, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 400 })
  return text.length > 600 ? `${text.slice(0, 600)}…` : text
}

function label(what: string, expected: string): string {
  return what ? `${what}: ${expected}` : expected
}
