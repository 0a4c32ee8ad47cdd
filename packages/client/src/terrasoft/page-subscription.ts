import type { Subscription } from './message-channel-service.ts'

/**
 * One subscription that is started and stopped, in any order and as often as you like, also while an earlier start has
 * not ended: there is one at most, and in the end there is one exactly if `start` was called last.
 *
 * @example
 * const orders = new PageSubscription(() => service.subscribe('OrderChanged', refresh))
 * await Promise.all([orders.start(), orders.start()])
 * await orders.stop()
 */
export class PageSubscription {
  readonly #subscribe: () => Subscription | Promise<Subscription>
  #isWanted = false
  #held: Subscription | undefined
  #settling: Promise<void> | undefined

  constructor(subscribe: () => Subscription | Promise<Subscription>) {
    this.#subscribe = subscribe
  }

  get isActive(): boolean {
    return this.#held !== undefined
  }

  /** Resolves when the subscription is there, or no longer wanted. Rejects with what `subscribe` does; then call it again. */
  start(): Promise<void> {
    this.#isWanted = true
    return this.#settle()
  }

  /** Resolves when there is none. */
  stop(): Promise<void> {
    this.#isWanted = false
    return this.#settle()
  }

  #settle(): Promise<void> {
    this.#settling ??= this.#work()
    return this.#settling
  }

  async #work(): Promise<void> {
    // It is under way, for whoever comes, before it can end.
    await Promise.resolve()
    try {
      while (this.#isWanted !== this.isActive) {
        if (this.#held) {
          this.#held.unsubscribe()
          this.#held = undefined
        } else this.#held = await this.#subscribe()
      }
    } finally {
      // At once with the last look at what is wanted: who comes after that begins anew.
      this.#settling = undefined
    }
  }
}
