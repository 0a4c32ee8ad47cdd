import type { Clock, Timer } from '../src/channel/clock.ts'

interface Alarm {
  at: number
  readonly intervalMs: number | undefined
  readonly run: () => void
}

/** Time that stands still until the test moves it, and a loop that turns when the test says so. */
export class FakeClock implements Clock {
  #now = 1_000_000
  #soon: (() => void)[] = []
  readonly #alarms = new Set<Alarm>()

  now(): number {
    return this.#now
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  every(intervalMs: number, run: () => void): Timer {
    return this.#set({ at: this.#now + intervalMs, intervalMs, run })
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#set({ at: this.#now + delayMs, intervalMs: undefined, run })
  }

  /** Timers that are running. */
  get timerCount(): number {
    return this.#alarms.size
  }

  /** Runs what waits for this turn; what that asks for waits for the next. @returns whether there was anything */
  turn(): boolean {
    const due = this.#soon
    this.#soon = []
    for (const run of due) run()
    return due.length > 0
  }

  /** Turns the loop until nothing is left to do, promises included. */
  async settle(): Promise<void> {
    do await settlePromises()
    while (this.turn())
  }

  /** Lets time pass, and runs in order what is due by then. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (let alarm = this.#next(end); alarm; alarm = this.#next(end)) {
      this.#now = alarm.at
      if (alarm.intervalMs === undefined) this.#alarms.delete(alarm)
      else alarm.at += alarm.intervalMs
      alarm.run()
    }
    this.#now = end
  }

  #set(alarm: Alarm): Timer {
    this.#alarms.add(alarm)
    return { stop: () => this.#alarms.delete(alarm) }
  }

  #next(end: number): Alarm | undefined {
    let next: Alarm | undefined
    for (const alarm of this.#alarms) if (alarm.at <= end && (!next || alarm.at < next.at)) next = alarm
    return next
  }
}

/** Lets promises that are settled run what waits for them. */
export async function settlePromises(): Promise<void> {
  for (let i = 0; i < 12; i++) await Promise.resolve()
}
