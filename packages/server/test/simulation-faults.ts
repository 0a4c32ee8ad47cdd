import type { Random } from '../../protocol/test/random.ts'
import type { Clock, Timer } from '../src/channel/clock.ts'
import type { FakeClock } from './fake-clock.ts'
import type { Received } from './fake-outlet.ts'
import type { Ledger } from './simulation-ledger.ts'

/** Faults that are put in on purpose, one at a time, so that the checks are checked. */
export type Fault =
  /** One in ten thousand messages doesn't come. */
  | 'drops one in 10,000'
  | 'drops one'
  | 'swaps two'
  | 'redelivers one'
  /** The newest of a key doesn't come, to one that is given what it missed. */
  | "forgets a key's last"
  /** The newest of a key doesn't come, to one that is told rarely. */
  | "forgets a hidden page's last"
  /** What is held back from one that is told rarely is held back for longer. */
  | 'lets a hidden page wait'
  /** Intervals never end by themselves. */
  | "forgets an interval's last"
  /** A position of an epoch that is over is taken for one of this epoch. */
  | 'ignores the epoch'
  /** Posters are told that it is in the log before it is. */
  | 'acknowledges before append'

const RARE = 1 / 10_000

/** What a faulty server or network makes of the messages that a client takes at once. */
export class Spoiler {
  readonly #fault: Fault | undefined
  readonly #random: Random
  #isDone = false

  constructor(fault: Fault | undefined, random: Random) {
    this.#fault = fault
    this.#random = random
  }

  /** Whether the fault was put in, where somebody has to notice. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** The fault is put in elsewhere. */
  done(): void {
    this.#isDone = true
  }

  /** @param isPaced whether the client is told rarely */
  spoil(received: readonly Received[], ledger: Ledger, isPaced: boolean): readonly Received[] {
    switch (this.#fault) {
      case 'drops one in 10,000':
        return received.filter((each, at) => !(this.#random.chance(RARE) && this.#isMissed(received, at, ledger, each)))
      case 'drops one':
      case 'swaps two':
      case 'redelivers one':
        return this.#isDone || !this.#random.chance(0.2) ? received : this.#spoilTwo(this.#fault, received, ledger)
      case "forgets a key's last":
        return this.#isDone ? received : this.#forgetKey(received, ledger)
      case "forgets a hidden page's last":
        return this.#isDone || !isPaced ? received : this.#forgetKey(received, ledger)
      case 'lets a hidden page wait':
      case "forgets an interval's last":
      case 'ignores the epoch':
      case 'acknowledges before append':
      case undefined:
        return received
      default:
        return this.#fault satisfies never
    }
  }

  /** Nobody could notice what is lost before something else comes: it may have been the network's end. */
  #isMissed(received: readonly Received[], at: number, ledger: Ledger, each: Received): boolean {
    const isMissed = ledger.isRequired(each) && ledger.isRequired(received[at + 1])
    this.#isDone ||= isMissed
    return isMissed
  }

  #spoilTwo(
    fault: 'drops one' | 'swaps two' | 'redelivers one',
    received: readonly Received[],
    ledger: Ledger,
  ): readonly Received[] {
    const index = received.findIndex((each, at) => ledger.isRequired(each) && ledger.isRequired(received[at + 1]))
    const [one, two] = received.slice(index, index + 2)
    if (index === -1 || !one || !two) return received
    this.#isDone = true
    const spoilt = { 'drops one': [two], 'swaps two': [two, one], 'redelivers one': [one, one, two] }[fault]
    return [...received.slice(0, index), ...spoilt, ...received.slice(index + 2)]
  }

  #forgetKey(received: readonly Received[], ledger: Ledger): readonly Received[] {
    const index = received.findIndex(
      (each, at) => ledger.isRequired(each) && ledger.isKeyed(each) && ledger.isRequired(received[at + 1]),
    )
    if (index === -1) return received
    this.#isDone = true
    return received.filter((_, at) => at !== index)
  }
}

/** A clock whose timers never run. Asks to be told of each. */
export function withoutTimers(clock: FakeClock, onTimer: () => void): Clock {
  const timer: Timer = { stop: () => {} }
  const forget = (): Timer => {
    onTimer()
    return timer
  }
  return { now: () => clock.now(), soon: (run) => clock.soon(run), every: forget, after: forget }
}
