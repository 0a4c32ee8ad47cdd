import type { Random } from '../test/random.ts'
import type { BlockCoverage, Profile } from './block-coverage.ts'
import { minimise } from './minimise.ts'
import { mutate } from './mutation.ts'
import type { CodecName, Verdict } from './oracle.ts'

/** To ask V8 what ran takes as long as hundreds of inputs, so it is asked about many at once. */
const BATCH = 256
/** Every so many batches each input is looked at alone, for how often its blocks ran. */
const ALONE_EVERY = 100
/** Of so few each is looked at. */
const FEW = 4

/** Throws where the input shows a flaw. */
export type Judge = (name: CodecName, input: Uint8Array) => Verdict

export interface FuzzerParts {
  readonly name: CodecName
  readonly coverage: BlockCoverage
  readonly random: Random
  readonly judge: Judge
}

/** The input on which a codec failed, and how. */
export interface Failure {
  readonly input: Uint8Array
  readonly error: Error
}

/** Looks for inputs that run what none before ran, by changing those that did. */
export class Fuzzer {
  readonly #parts: FuzzerParts
  #corpus: Uint8Array[] = []
  /** Those of the corpus that hold messages: most of what is near them is still of the grammar. */
  readonly #good: Uint8Array[] = []
  #executions = 0
  #batches = 0

  constructor(parts: FuzzerParts) {
    this.#parts = parts
  }

  get corpus(): readonly Uint8Array[] {
    return this.#corpus
  }

  get executions(): number {
    return this.#executions
  }

  /** Begins with these inputs. */
  start(inputs: readonly Uint8Array[]): Failure | undefined {
    return this.#lookAlone(inputs)
  }

  /** Tries a batch of new inputs. */
  run(): Failure | undefined {
    const { name, random } = this.#parts
    const inputs = Array.from({ length: BATCH }, () => mutate(name, this.#pool(random), random))
    return this.#batches++ % ALONE_EVERY === 0 ? this.#lookAlone(inputs) : this.#search(inputs)
  }

  /** Makes the corpus small: each input as short as it can be, and none that adds nothing to shorter ones. */
  condense(): readonly Uint8Array[] {
    const { name, coverage } = this.#parts
    for (let round = 0; round < 2; round++) {
      const inputs = this.#corpus.toSorted((a, b) => a.length - b.length)
      coverage.forget()
      this.#corpus = []
      for (const input of inputs) {
        const news = coverage.news(this.#profile(input))
        if (news.length === 0) continue
        const short = minimise(name, input, (candidate) => coverage.includes(this.#profile(candidate), news))
        coverage.remember(this.#profile(short))
        this.#corpus.push(short)
      }
    }
    return this.#corpus
  }

  #pool(random: Random): readonly Uint8Array[] {
    return this.#good.length > 0 && random.chance(0.6) ? this.#good : this.#corpus
  }

  /** Finds those that run what none before ran, by halves. */
  #search(inputs: readonly Uint8Array[]): Failure | undefined {
    if (inputs.length <= FEW) return this.#lookAlone(inputs)
    const { coverage } = this.#parts
    coverage.take()
    for (const input of inputs) {
      const failure = this.#judge(input)
      if (failure) return failure
    }
    if (!coverage.isNew(coverage.take(), false)) return undefined
    const half = inputs.length >> 1
    return this.#search(inputs.slice(0, half)) ?? this.#search(inputs.slice(half))
  }

  #lookAlone(inputs: readonly Uint8Array[]): Failure | undefined {
    const { coverage } = this.#parts
    coverage.take()
    for (const input of inputs) {
      const failure = this.#judge(input)
      if (failure) return failure
      const profile = coverage.take()
      if (!coverage.isNew(profile, true)) continue
      coverage.remember(profile)
      this.#corpus.push(input)
      if (this.#parts.judge(this.#parts.name, input).messages > 0) this.#good.push(input)
    }
    return undefined
  }

  #judge(input: Uint8Array): Failure | undefined {
    this.#executions++
    try {
      this.#parts.judge(this.#parts.name, input)
      return undefined
    } catch (error) {
      return { input, error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  #profile(input: Uint8Array): Profile {
    this.#parts.coverage.take()
    this.#judge(input)
    return this.#parts.coverage.take()
  }
}
