import { ChannelError } from '../channel/channel-error.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import { noConnection, type RemoteInvokeOptions } from '../hub/remote-clients.ts'
import { fromErrorText } from './error-text.ts'
import { fromResult } from './invocation-text.ts'
import type { Outcome, Signal } from './signal.ts'

const RESULTS_MAX = 10_000

export interface AwaitedResultsParts {
  readonly clock: Clock
  /** How long what nodes say to each other may be under way. */
  readonly answerMs: number
  readonly nodes: () => Iterable<string>
  /** @throws RangeError where it is too large */
  readonly say: (signal: Signal) => void
}

export interface AskedClient {
  /** Of the hub. */
  readonly path: string
  readonly connection: string
  /** @throws TypeError where it can't be encoded */
  readonly invocation: () => string
}

/** A result that this node awaits: until somebody says that the connection is its own, of all that `waitsFor` has. */
interface Awaited {
  readonly connection: string
  readonly waitsFor: Set<string>
  owner: string | undefined
  resolve(result: unknown): void
  reject(error: Error): void
}

/** Results of other nodes' clients that this node awaits. */
export class AwaitedResults {
  readonly #parts: AwaitedResultsParts
  readonly #awaited = new Map<number, Awaited>()
  #number = 0

  constructor(parts: AwaitedResultsParts) {
    this.#parts = parts
  }

  /**
   * Asks all nodes for the client's result. Its owner keeps time; this one does where nobody says anything. A node that is
   * slow to say whether the connection is its own is waited for: it is there until it is taken for dead.
   */
  invoke({ path, connection, invocation }: AskedClient, options: RemoteInvokeOptions): Promise<unknown> {
    const { timeoutMs, signal } = options
    const { clock, answerMs, nodes, say } = this.#parts
    const waitsFor = new Set(nodes())
    if (waitsFor.size === 0) return Promise.reject(noConnection(connection))
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      if (this.#awaited.size >= RESULTS_MAX) {
        throw new RangeError(`${RESULTS_MAX} results of clients of other nodes are awaited already.`)
      }
      const number = ++this.#number
      const onAbort = (): void => {
        this.#giveUp(number)
        awaited.reject(toError(signal?.reason))
      }
      const settle = (): void => {
        this.#awaited.delete(number)
        timer.stop()
        signal?.removeEventListener('abort', onAbort)
      }
      const awaited: Awaited = {
        connection,
        waitsFor,
        owner: undefined,
        resolve: (result) => {
          settle()
          resolve(result)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
      const timer: Timer = clock.after(timeoutMs + answerMs, () => {
        this.#giveUp(number)
        awaited.reject(new ChannelError('client_timeout', `No result of the client came within ${timeoutMs} ms.`))
      })
      this.#awaited.set(number, awaited)
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        say({ kind: 'invoke', number, path, connection, timeoutMs, invocation: invocation() })
      } catch (error) {
        awaited.reject(toError(error))
      }
    })
  }

  /** Another node says what became of what it was asked. */
  onOutcome(from: string, number: number, outcome: Outcome): void {
    const awaited = this.#awaited.get(number)
    switch (outcome.is) {
      case 'none':
        if (awaited) this.#isNotOf(from, awaited)
        return
      case 'taken':
        // It was given up meanwhile, or the node that was to have it was: the client's answer is for nobody.
        if (awaited) awaited.owner = from
        else this.#giveUp(number)
        return
      case 'result':
        awaited?.resolve(fromResult(outcome.result))
        return
      case 'error':
        awaited?.reject(fromErrorText(outcome.error))
        return
      default:
        // Of a newer version.
        outcome satisfies never
    }
  }

  /** The node is gone, and its connections with it. */
  forget(node: string): void {
    for (const awaited of this.#awaited.values()) {
      if (awaited.owner === node) awaited.reject(lost(awaited.connection))
      else this.#isNotOf(node, awaited)
    }
  }

  close(): void {
    for (const awaited of this.#awaited.values()) {
      awaited.reject(new ChannelError('channel_closed', 'The channel was closed before the client answered.'))
    }
  }

  #isNotOf(node: string, awaited: Awaited): void {
    if (!awaited.waitsFor.delete(node) || awaited.owner !== undefined) return
    if (awaited.waitsFor.size === 0) awaited.reject(noConnection(awaited.connection))
  }

  #giveUp(number: number): void {
    this.#parts.say({ kind: 'giveUp', number })
  }
}

function lost(connection: string): ChannelError {
  return new ChannelError('not_found', `Connection '${connection}' was lost: its node is gone.`)
}

/** What a signal is aborted with can be anything. */
function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('The result is not awaited any more.', { cause: reason })
}
