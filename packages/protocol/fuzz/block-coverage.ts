import { type Profiler, Session } from 'node:inspector'

/** One run of a block of code: where in its function's plane it is, and how often it ran, as a bit. */
interface Stretch {
  readonly plane: Uint8Array
  readonly start: number
  readonly end: number
  readonly bit: number
}

/** What ran since it was asked the last time. */
export type Profile = readonly Stretch[]

/** A place in a function's text whose block ran as never before. */
interface Novelty {
  readonly plane: Uint8Array
  readonly at: number
  readonly bit: number
}

/**
 * Which blocks of the codecs' code run, and how often, as V8 counts them in this process. To be made before the code is
 * loaded: what was compiled earlier is not counted.
 *
 * Each function has a plane with a byte for each character of its text; each of the byte's bits stands for a range of
 * counts at which the block there ran in one input.
 */
export class BlockCoverage {
  readonly #session = new Session()
  readonly #planes = new Map<string, Uint8Array>()
  readonly #blocks = new Set<string>()
  readonly #reached = new Set<string>()
  readonly #code: RegExp

  /** @param code what the addresses of the files match whose code counts */
  constructor(code: RegExp) {
    this.#code = code
    this.#session.connect()
    this.#ask('Profiler.enable')
    this.#ask('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  get blockCount(): number {
    return this.#blocks.size
  }

  get reachedCount(): number {
    return this.#reached.size
  }

  take(): Profile {
    const { result } = this.#ask('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType
    const profile: Stretch[] = []
    for (const { url, functions } of result) {
      if (!this.#code.test(url)) continue
      for (const { ranges } of functions) this.#addFunction(url, ranges, profile)
    }
    return profile
  }

  /** Whether something ran that never ran before, or, with counts, never so often. */
  isNew(profile: Profile, withCounts: boolean): boolean {
    return profile.some(({ plane, start, end, bit }) => {
      for (let at = start; at < end; at++) {
        const seen = plane[at] ?? 0
        if (withCounts ? (seen & bit) === 0 : seen === 0) return true
      }
      return false
    })
  }

  /** Where something ran so often for the first time: the first character of each such block. */
  news(profile: Profile): Novelty[] {
    const found: Novelty[] = []
    for (const { plane, start, end, bit } of profile) {
      let wasNew = false
      for (let at = start; at < end; at++) {
        const isNew = ((plane[at] ?? 0) & bit) === 0
        if (isNew && !wasNew) found.push({ plane, at, bit })
        wasNew = isNew
      }
    }
    return found
  }

  /** Whether all of this ran, and so often. */
  includes(profile: Profile, news: readonly Novelty[]): boolean {
    return news.every(({ plane, at, bit }) =>
      profile.some((ran) => ran.plane === plane && ran.bit === bit && ran.start <= at && at < ran.end),
    )
  }

  remember(profile: Profile): void {
    for (const { plane, start, end, bit } of profile)
      for (let at = start; at < end; at++) plane[at] = (plane[at] ?? 0) | bit
  }

  /** Forgets what has run, but not what there is. */
  forget(): void {
    for (const plane of this.#planes.values()) plane.fill(0)
  }

  #addFunction(url: string, ranges: readonly Profiler.CoverageRange[], profile: Stretch[]): void {
    const [own, ...inner] = ranges
    if (!own) return
    const { startOffset: base, endOffset, count } = own
    const name = `${url}:${base}:${endOffset}`
    const plane = this.#planes.get(name) ?? new Uint8Array(endOffset - base)
    this.#planes.set(name, plane)
    // Ranges come outer before inner, so each takes its text from the one around it.
    const counts = new Uint32Array(plane.length).fill(count)
    for (const range of inner) counts.fill(range.count, range.startOffset - base, range.endOffset - base)
    for (const range of ranges) {
      const block = `${name}:${range.startOffset}`
      this.#blocks.add(block)
      if (range.count > 0) this.#reached.add(block)
    }
    for (let start = 0, end = 0; start < counts.length; start = end) {
      const value = counts[start] ?? 0
      for (end = start + 1; counts[end] === value; ) end++
      if (value > 0) profile.push({ plane, start, end, bit: bitOf(value) })
    }
  }

  #ask(method: string, parameters?: object): unknown {
    let answer: unknown
    // Answered within the call, as the session is one with this thread.
    this.#session.post(method, parameters, (error: Error | null, result?: object) => {
      if (error) throw error
      answer = result
    })
    return answer
  }
}

/** From how many runs on each of the eight bits stands. */
const COUNTS = [1, 2, 3, 4, 8, 16, 32, 128]

function bitOf(count: number): number {
  return 1 << COUNTS.findLastIndex((least) => count >= least)
}
