/** Time, passed in so that a simulation can own it. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00Z. */
  now(): number
  /** Runs it once, after all that is under way in this turn of the loop. */
  soon(run: () => void): void
  /** Runs it every `intervalMs` until the timer is stopped. Keeps no process alive. */
  every(intervalMs: number, run: () => void): Timer
  /** Runs it once after `delayMs`, unless the timer is stopped. Keeps no process alive. */
  after(delayMs: number, run: () => void): Timer
}

export interface Timer {
  /** Idempotent. */
  stop(): void
}
