import type { LocalClients } from '../hub/remote-clients.ts'
import { toErrorText } from './error-text.ts'
import { fromInvocation, toResult } from './invocation-text.ts'
import type { Outcome, Signal } from './signal.ts'

export interface AskedResultsParts {
  /** The hub at the path, if there is one. */
  readonly hubAt: (path: string) => LocalClients | undefined
  readonly say: (signal: Signal) => void
  readonly onError: (error: unknown) => void
}

/** Results of this node's clients that other nodes await: as many of each client as `clientResultsMax` lets be. */
export class AskedResults {
  readonly #parts: AskedResultsParts
  /** By the node that awaits it. */
  readonly #running = new Map<string, Map<number, AbortController>>()

  constructor(parts: AskedResultsParts) {
    this.#parts = parts
  }

  /** Asks the client, if it is here, and tells the node what comes of it. */
  invoke(from: string, asked: Extract<Signal, { readonly kind: 'invoke' }>): void {
    const { number, path, connection, timeoutMs } = asked
    const controller = new AbortController()
    const hub = this.#parts.hubAt(path)
    const call = hub && fromInvocation(asked.invocation)
    const answer = call && hub.invoke(connection, call.target, call.args, { timeoutMs, signal: controller.signal })
    if (!answer) {
      this.#tell(from, number, { is: 'none' })
      return
    }
    this.#tell(from, number, { is: 'taken' })
    this.#add(from, number, controller)
    void this.#tellOutcome(from, number, answer)
  }

  /** The node does not await it any more. */
  giveUp(from: string, number: number): void {
    const controller = this.#running.get(from)?.get(number)
    if (controller && this.#remove(from, number)) controller.abort()
  }

  /** The node is gone. */
  forget(node: string): void {
    const running = this.#running.get(node)
    this.#running.delete(node)
    for (const controller of running?.values() ?? []) controller.abort()
  }

  async #tellOutcome(from: string, number: number, answer: Promise<unknown>): Promise<void> {
    let outcome: Outcome
    try {
      outcome = { is: 'result', result: toResult(await answer) }
    } catch (error) {
      // The client's, or that of a result that MessagePack can't say.
      outcome = { is: 'error', error: toErrorText(error) }
    }
    try {
      if (this.#remove(from, number)) this.#tell(from, number, outcome)
    } catch (error) {
      this.#parts.onError(error)
    }
  }

  #add(from: string, number: number, controller: AbortController): void {
    const running = this.#running.get(from)
    if (running) running.set(number, controller)
    else this.#running.set(from, new Map([[number, controller]]))
  }

  /** @returns false where nobody awaits it any more */
  #remove(from: string, number: number): boolean {
    const running = this.#running.get(from)
    const wasThere = running?.delete(number) ?? false
    if (running?.size === 0) this.#running.delete(from)
    return wasThere
  }

  #tell(to: string, number: number, outcome: Outcome): void {
    try {
      this.#parts.say({ kind: 'outcome', to, number, outcome })
    } catch (error) {
      this.#parts.say({ kind: 'outcome', to, number, outcome: { is: 'error', error: toErrorText(error) } })
    }
  }
}
