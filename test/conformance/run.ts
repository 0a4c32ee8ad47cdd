import { setMaxListeners } from 'node:events'
import { type Check, Failure, type Phase, Skip } from './check.ts'
import { Scene, type Settings } from './scene.ts'

export type Outcome =
  | { readonly outcome: 'pass' }
  | { readonly outcome: 'fail'; readonly expected: string; readonly got: string }
  | { readonly outcome: 'skip'; readonly reason: string }

export type Result = Outcome & { readonly check: Check; readonly ms: number }

export interface RunOptions {
  readonly url: URL
  readonly settings: Settings
  readonly checks: readonly Check[]
  /** How many checks run beside each other. */
  readonly concurrency?: number
  readonly onResult?: (result: Result) => void
}

/** An answer that takes longer is none. */
const ANSWER_MS = 10_000
/** A check that would take longer is left out. */
const TAKES_MS_MAX = 45_000
const CONCURRENCY = 16

/** Runs the checks, each in bounded time. @returns their results, in the order of the checks */
export async function runChecks(options: RunOptions): Promise<readonly Result[]> {
  const { checks, settings, concurrency = CONCURRENCY, onResult } = options
  const results = new Map<Check, Result>()
  const runAll = async (phase: Phase, workers: number): Promise<void> => {
    // The long ones first, so that the others run while they wait.
    const queue = checks
      .filter((check) => check.phase === phase)
      .sort((a, b) => b.takesMs(settings) - a.takesMs(settings))
    const work = async (): Promise<void> => {
      for (let check = queue.shift(); check; check = queue.shift()) {
        const startedAt = performance.now()
        const outcome = await runCheck(check, options)
        const result = { ...outcome, check, ms: Math.round(performance.now() - startedAt) }
        results.set(check, result)
        onResult?.(result)
      }
    }
    await Promise.all(Array.from({ length: workers }, work))
  }
  await runAll('together', concurrency)
  await runAll('alone', 1)
  await runAll('last', 1)
  return checks.flatMap((check) => results.get(check) ?? [])
}

async function runCheck(check: Check, { url, settings }: RunOptions): Promise<Outcome> {
  const takesMs = check.takesMs(settings)
  if (takesMs > TAKES_MS_MAX) {
    return { outcome: 'skip', reason: `it would take ${Math.ceil(takesMs / 1000)} s; set the server's times shorter` }
  }
  const ending = new AbortController()
  setMaxListeners(0, ending.signal)
  const scene = new Scene(url, settings, ending.signal)
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Failure(scene.waitingFor, `nothing within ${ANSWER_MS + takesMs} ms`))
    }, ANSWER_MS + takesMs)
  })
  try {
    const running = check.run(scene)
    // What it still says after its time is over is of no interest.
    running.catch(() => {})
    await Promise.race([running, timeout])
    return { outcome: 'pass' }
  } catch (error) {
    if (error instanceof Skip) return { outcome: 'skip', reason: error.message }
    if (error instanceof Failure) return { outcome: 'fail', expected: error.expected, got: error.got }
    return { outcome: 'fail', expected: scene.waitingFor, got: error instanceof Error ? error.message : String(error) }
  } finally {
    clearTimeout(timer)
    ending.abort()
  }
}
