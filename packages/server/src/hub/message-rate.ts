/**
 * How fast one client may send: so many messages at once, and so many a second from then on. Nothing runs for it while
 * nobody sends.
 */
export class MessageRate {
  readonly #perSecond: number
  readonly #burst: number
  #left: number
  #at: number

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#left = burst
    this.#at = now
  }

  /** Counts one message. @returns whether it may pass; one that may not costs nothing */
  take(now: number): boolean {
    // A clock that was set back gives nothing, and takes nothing.
    const passedMs = Math.max(0, now - this.#at)
    this.#at = now
    this.#left = Math.min(this.#burst, this.#left + (passedMs / 1000) * this.#perSecond)
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
