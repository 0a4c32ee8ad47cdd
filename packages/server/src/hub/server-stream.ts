import type { Clock, Timer } from '../channel/clock.ts'

/** Where a stream's items go. */
export interface StreamOutlet {
  /** Says one item to the client. @throws where it can't be encoded */
  sendItem(item: unknown): void
  /** Undefined while the client takes what it gets; else it ends when the client has taken it, or is gone. */
  whenTaken(): Promise<void> | undefined
}

/**
 * Brings a method's items to the client, one after another: it asks for the next one only when the client has room for
 * it. `running`; `stopping`: told to end, which a method that is in the middle of something may take a moment for;
 * `left`: not waited for any more.
 */
export class ServerStream {
  readonly #iterator: AsyncIterator<unknown> | Iterator<unknown>
  readonly #outlet: StreamOutlet
  readonly #clock: Clock
  readonly #itemsPerTurn: number
  #state: 'running' | 'stopping' | 'left' = 'running'
  /** Whether the method works on the next item. */
  #isPulling = false
  /** Ends the wait that is under way. */
  #onLeave: (() => void) | undefined
  #timer: Timer | undefined

  /** @throws what the method's own code throws when it is asked for its iterator */
  constructor(items: AsyncIterable<unknown> | Iterable<unknown>, outlet: StreamOutlet, clock: Clock, perTurn: number) {
    this.#iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
    this.#outlet = outlet
    this.#clock = clock
    this.#itemsPerTurn = perTurn
  }

  /** Ends when all is sent or the stream was stopped. Rejects with what the method threw before that. */
  async run(): Promise<void> {
    let isDone = false
    try {
      for (let count = 1; this.#state === 'running'; count++) {
        isDone = true
        const step = await this.#pull()
        if (!step || step.done) break
        isDone = false
        if (this.#isStopped()) break
        this.#outlet.sendItem(step.value)
        const taken = this.#outlet.whenTaken()
        if (taken) await this.#until(taken)
        else if (count % this.#itemsPerTurn === 0) await this.#until(nextTurn(this.#clock))
      }
    } finally {
      if (!isDone) await this.#return()
      this.#timer?.stop()
    }
  }

  /** The client cancels: the method may take so long to end by itself. Idempotent. */
  stop(graceMs: number): void {
    if (this.#state !== 'running') return
    this.#state = 'stopping'
    this.#timer = this.#clock.after(graceMs, () => this.leave())
    if (!this.#isPulling) this.#onLeave?.()
  }

  /** The client is gone: nothing is waited for. Idempotent. */
  leave(): void {
    this.#state = 'left'
    this.#timer?.stop()
    this.#onLeave?.()
    if (this.#isPulling) this.#giveUp()
  }

  #isStopped(): boolean {
    return this.#state !== 'running'
  }

  async #pull(): Promise<IteratorResult<unknown> | undefined> {
    this.#isPulling = true
    try {
      return await this.#until(Promise.resolve(this.#iterator.next()))
    } finally {
      this.#isPulling = false
    }
  }

  /** Lets the method clean up. What goes wrong there is of no consequence for a stream that has ended. */
  async #return(): Promise<void> {
    if (this.#state === 'left') {
      this.#giveUp()
      return
    }
    this.#isPulling = true
    try {
      await this.#until(Promise.resolve(this.#iterator.return?.()))
    } catch {
      // As said above.
    } finally {
      this.#isPulling = false
    }
  }

  /** Tells the method that nobody reads it any more, and doesn't wait. */
  #giveUp(): void {
    this.#isPulling = false
    try {
      Promise.resolve(this.#iterator.return?.()).catch(() => {})
    } catch {
      // As in #return.
    }
  }

  /** The promise's value, or undefined as soon as nothing is waited for any more. */
  #until<Value>(promise: Promise<Value>): Promise<Value | undefined> {
    if (this.#state === 'left') {
      promise.catch(() => {})
      return Promise.resolve(undefined)
    }
    return new Promise((resolve, reject) => {
      this.#onLeave = () => resolve(undefined)
      promise.then(resolve, reject)
    })
  }
}

function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve))
}
