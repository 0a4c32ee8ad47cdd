import type { Clock } from '../channel/clock.ts'

/** Who has something to write at the end of the turn. */
export interface TurnMember {
  flush(): void
}

/** The turns of the loop, as a hub's connections count them: what is said to a client in one turn goes out in few pieces. */
export class TurnWriter {
  readonly #clock: Clock
  #number = 0
  #isCounted = false
  #members: TurnMember[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The number of this turn, which is counted from now on. */
  begin(): number {
    if (!this.#isCounted) {
      this.#isCounted = true
      this.#clock.soon(() => this.#end())
    }
    return this.#number
  }

  /** Has it flushed when this turn is over. To be called once for each turn, after `begin`. */
  add(member: TurnMember): void {
    this.#members.push(member)
  }

  #end(): void {
    this.#isCounted = false
    this.#number++
    for (const member of this.#members.splice(0)) member.flush()
  }
}
