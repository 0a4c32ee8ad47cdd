import type { Clock } from '../channel/clock.ts'

/** Who has something to write at the end of the turn. */
export interface TurnMember {
  /** Writes it. Never throws. */
  flush(): void
}

/** Ends the turns of the loop of a hub's connections: what was said to a client in one turn goes out in one piece. */
export class TurnWriter {
  readonly #clock: Clock
  #members: TurnMember[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Has it flushed at the end of this turn. To be called once for each turn. */
  add(member: TurnMember): void {
    if (this.#members.length === 0) this.#clock.soon(() => this.#flush())
    this.#members.push(member)
  }

  #flush(): void {
    const members = this.#members
    this.#members = []
    for (const member of members) member.flush()
  }
}
