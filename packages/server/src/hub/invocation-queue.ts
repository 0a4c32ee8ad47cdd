import { MessageType } from '@serverchannel/protocol'
import type { Limits } from '../options.ts'
import type { Invocation } from './invocation.ts'

/**
 * The invocations of one client. Those without streams run one after another, as many at a time as it may have; those
 * with streams run beside them, so that a long stream holds nothing up. Source: SIGNALR 1, 2.11 T1.
 */
export class InvocationQueue {
  readonly #limits: Limits
  readonly #isHeld: () => boolean
  /** Every one that has come and is not over. */
  readonly #all = new Set<Invocation>()
  readonly #byId = new Map<string, Invocation>()
  readonly #running = new Set<Invocation>()
  #waiting: Invocation[] = []
  #isStarting = false

  /** @param isHeld whether none is to be started, because the client doesn't take its answers */
  constructor(limits: Limits, isHeld: () => boolean) {
    this.#limits = limits
    this.#isHeld = isHeld
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  /** Whether one without streams is under way: streams don't keep a silent client from timing out (SIGNALR 2.10 C1). */
  get isBusy(): boolean {
    return this.#running.size > 0 || this.#waiting.length > 0
  }

  /** Those with streams. */
  get streamingCount(): number {
    return this.#all.size - this.#running.size - this.#waiting.length
  }

  has(invocationId: string): boolean {
    return this.#byId.has(invocationId)
  }

  add(invocation: Invocation): void {
    const { message, method, uploads } = invocation
    this.#all.add(invocation)
    if (message.invocationId && !this.#byId.has(message.invocationId)) this.#byId.set(message.invocationId, invocation)
    if (method.isStreaming || message.type === MessageType.StreamInvocation || uploads.length > 0) {
      void invocation.run()
    } else {
      this.#waiting.push(invocation)
      this.start()
    }
  }

  cancel(invocationId: string): void {
    this.#byId.get(invocationId)?.cancel()
  }

  /** It is over. */
  remove(invocation: Invocation): void {
    const { invocationId } = invocation.message
    this.#all.delete(invocation)
    if (invocationId && this.#byId.get(invocationId) === invocation) this.#byId.delete(invocationId)
    if (this.#running.delete(invocation)) this.start()
  }

  /** Starts what may be started. Those that end at once are followed by the next in a loop, not each within the last. */
  start(): void {
    if (this.#isStarting) return
    this.#isStarting = true
    while (this.#running.size < this.#limits.parallelInvocationsMax && !this.#isHeld()) {
      const invocation = this.#waiting.shift()
      if (!invocation) break
      this.#running.add(invocation)
      void invocation.run()
    }
    this.#isStarting = false
  }

  /** The client is gone: those that wait are not run any more, and the others are told. */
  leave(): void {
    this.#waiting = []
    for (const invocation of this.#all) invocation.leave()
  }
}
