import { type Environment, type KeptValues, kept as keptByPage } from './environment.ts'
import type { Settings } from './options.ts'
import type { TransportChoice, TransportKind, TransportName, Verdict } from './transports/transport.ts'

/** For so long a browser does without the transport that did not pass. */
const AVOIDED_MS = 5 * 60_000
/** A transport that has worked before is given up for the next one with this failure in a row: servers restart too. */
const FAILURES_MAX = 3

/**
 * Chooses among those that were asked for and can carry the codec.
 *
 * @throws TypeError where none is left
 */
export function chooseTransport(
  kinds: readonly TransportKind[],
  names: readonly TransportName[] | undefined,
  hub: URL,
  { codec, WebSocket, environment }: Settings,
): TransportChoice {
  const [first, ...others] = (names ?? kinds.map(({ name }) => name))
    .flatMap((name) => kinds.filter((kind) => kind.name === name))
    .filter(({ name, isTextOnly }) => !(isTextOnly && codec.isBinary) && (name !== 'websocket' || WebSocket))
  if (!first) throw new TypeError('No transport is left; without a global WebSocket pass one as `options.WebSocket`.')
  return new FirstThatPasses([first, ...others], environment, `serverchannel ${hub.origin}${hub.pathname} transport`)
}

/**
 * Which transport the next attempt is made with: the first that passes. The choice is remembered for five minutes, for
 * the browser's other pages and later ones too, unless the network becomes another one.
 */
class FirstThatPasses implements TransportChoice {
  readonly #kinds: readonly [TransportKind, ...TransportKind[]]
  readonly #environment: Environment
  readonly #key: string
  #index = 0
  /** The transport of this index works here. */
  #working = -1
  #failures = 0
  /** When the first one gets another chance. */
  #avoidedUntil = 0

  /** @param key what the choice is remembered under */
  constructor(kinds: readonly [TransportKind, ...TransportKind[]], environment: Environment, key: string) {
    this.#kinds = kinds
    this.#environment = environment
    this.#key = key
    if (kinds.length < 2) return
    const [name, until] = (this.#kept()?.getItem(key) ?? '').split(' ')
    const index = kinds.findIndex((kind) => kind.name === name)
    const aheadMs = Number(until) - environment.now()
    // A clock that was set back would have it avoided for ever.
    if (index > 0 && aheadMs > 0 && aheadMs <= AVOIDED_MS) {
      this.#index = this.#working = index
      this.#avoidedUntil = Number(until)
    }
  }

  next(): TransportKind {
    if (this.#working > 0 && this.#environment.now() >= this.#avoidedUntil) this.anotherNetwork()
    return this.#kinds[this.#index] ?? this.#kinds[0]
  }

  worked(): void {
    const { name } = this.#kinds[this.#index] ?? {}
    this.#failures = 0
    if (this.#working === this.#index) return
    this.#working = this.#index
    if (this.#kinds.length < 2) return
    if (this.#index > 0) this.#avoidedUntil = this.#environment.now() + AVOIDED_MS
    try {
      const kept = this.#kept()
      if (this.#index > 0) kept?.setItem(this.#key, `${name} ${this.#avoidedUntil}`)
      else kept?.removeItem(this.#key)
    } catch {
      // Full: then it is found out anew.
    }
  }

  failed(verdict: Verdict): boolean {
    this.#failures++
    if (!verdict && (this.#working !== this.#index || this.#failures >= FAILURES_MAX)) {
      this.#failures = 0
      if (this.#index + 1 < this.#kinds.length) {
        this.#index++
        return true
      }
    }
    // Whoever answers, or nobody does: it was not the transport's fault. What worked is tried first.
    this.#index = Math.max(this.#working, 0)
    return false
  }

  anotherNetwork(): void {
    this.#index = 0
    this.#working = -1
  }

  #kept(): KeptValues | undefined {
    return (this.#environment.kept ?? keptByPage)('browser')
  }
}
