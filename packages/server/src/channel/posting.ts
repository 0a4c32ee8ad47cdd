/**
 * A post under way: await it to learn its outcome. One that nobody awaits and that fails is reported to `onUnobserved`,
 * and never ends the process (DESIGN §7).
 */
export class Posting<Result> implements Promise<Result> {
  readonly [Symbol.toStringTag] = 'Posting'
  readonly #outcome: Promise<Result>
  #isObserved = false

  constructor(outcome: Promise<Result>, onUnobserved: (error: unknown) => void) {
    this.#outcome = outcome
    outcome.catch((error: unknown) => {
      if (!this.#isObserved) onUnobserved(error)
    })
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it stands where a promise is expected
  then<Fulfilled = Result, Rejected = never>(
    onFulfilled?: ((result: Result) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((error: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.#isObserved = true
    return this.#outcome.then(onFulfilled, onRejected)
  }

  catch<Rejected = never>(
    onRejected?: ((error: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Result | Rejected> {
    return this.then(undefined, onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<Result> {
    this.#isObserved = true
    return this.#outcome.finally(onFinally)
  }
}
