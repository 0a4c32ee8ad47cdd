import { ChannelError } from '../channel/channel-error.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { InvokeOptions } from './hub-directory.ts'
import { HubException } from './hub-exception.ts'

interface Pending {
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * What one client has been asked and has not answered yet. Each connection has its own, so an answer that comes from
 * another connection finds no question (SIGNALR 2.11 T2).
 */
export class ClientResults {
  readonly #pending = new Map<string, Pending>()
  readonly #clock: Clock
  readonly #countMax: number
  readonly #defaultTimeoutMs: number

  constructor(clock: Clock, countMax: number, defaultTimeoutMs: number) {
    this.#clock = clock
    this.#countMax = countMax
    this.#defaultTimeoutMs = defaultTimeoutMs
  }

  get count(): number {
    return this.#pending.size
  }

  /** Asks, and gives the answer. @param ask says it to the client; what it throws is what this rejects with */
  request(invocationId: string, ask: () => void, options: InvokeOptions): Promise<unknown> {
    const { timeoutMs = this.#defaultTimeoutMs, signal } = options
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      if (this.#pending.size >= this.#countMax) {
        throw new RangeError(`${this.#countMax} results are awaited of this client already ('clientResultsMax').`)
      }
      let timer: Timer | undefined
      const onAbort = (): void => settled.reject(toError(signal?.reason))
      const settle = (): void => {
        this.#pending.delete(invocationId)
        timer?.stop()
        signal?.removeEventListener('abort', onAbort)
      }
      const settled: Pending = {
        resolve: (result) => {
          settle()
          resolve(result)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      this.#pending.set(invocationId, settled)
      signal?.addEventListener('abort', onAbort, { once: true })
      timer = this.#clock.after(timeoutMs, () => {
        settled.reject(new ChannelError('client_timeout', `The client gave no result within ${timeoutMs} ms.`))
      })
      // To ask can end the connection, where that holds too much already: then this is rejected by it.
      try {
        ask()
      } catch (error) {
        settled.reject(toError(error))
      }
    })
  }

  /** The client answers. An id that nobody waits for is passed over (SIGNALR 2.8 J4). */
  complete(invocationId: string, error: string | undefined, result: unknown): void {
    const pending = this.#pending.get(invocationId)
    if (error === undefined) pending?.resolve(result)
    else pending?.reject(new HubException(error))
  }

  /** The client is gone. */
  rejectAll(error: Error): void {
    for (const pending of this.#pending.values()) pending.reject(error)
  }
}

/** What a signal is aborted with can be anything. */
function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('The result is not awaited any more.', { cause: reason })
}
