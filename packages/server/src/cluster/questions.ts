import type { Clock } from '../channel/clock.ts'
import { type ErrorText, fromErrorText } from './error-text.ts'

const QUESTIONS_MAX = 10_000

interface Asked {
  readonly waitsFor: Set<string>
  readonly isOfOne: boolean
  count: number
  readonly end: (error?: Error) => void
}

/** What this node has asked all others and waits for. */
export class Questions {
  readonly #asked = new Map<number, Asked>()
  readonly #clock: Clock
  readonly #timeoutMs: number
  #number = 0

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /**
   * Waits until all nodes have answered, or so long; of a question about one connection until one says that it has it.
   *
   * @param say says the question to all
   * @returns the sum of what they say
   */
  ask(nodes: Iterable<string>, isOfOne: boolean, say: (number: number) => void): Promise<number> {
    const waitsFor = new Set(nodes)
    if (waitsFor.size === 0) return Promise.resolve(0)
    if (this.#asked.size >= QUESTIONS_MAX) {
      return Promise.reject(new RangeError(`${QUESTIONS_MAX} questions to other nodes wait for their answer already.`))
    }
    const number = ++this.#number
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        timer.stop()
        this.#asked.delete(number)
        if (error) reject(error)
        else resolve(asked.count)
      }
      const timer = this.#clock.after(this.#timeoutMs, () => end())
      const asked: Asked = { waitsFor, isOfOne, count: 0, end }
      this.#asked.set(number, asked)
      try {
        say(number)
      } catch (error) {
        end(error instanceof Error ? error : new Error('It could not be asked.', { cause: error }))
      }
    })
  }

  answered(from: string, number: number, count: number, error: ErrorText | undefined): void {
    const asked = this.#asked.get(number)
    if (!asked?.waitsFor.delete(from)) return
    asked.count += count
    if (error) asked.end(fromErrorText(error))
    else if (asked.waitsFor.size === 0 || (asked.isOfOne && asked.count > 0)) asked.end()
  }

  /** The node is gone: nothing of it is waited for. */
  forget(node: string): void {
    for (const asked of this.#asked.values()) {
      if (asked.waitsFor.delete(node) && asked.waitsFor.size === 0) asked.end()
    }
  }

  /** What has been answered is all that there will be. */
  close(): void {
    for (const { end } of this.#asked.values()) end()
  }
}
