import { type Environment, kept as keptByPage } from './environment.ts'
import type { Settings } from './options.ts'
import type { TransportKind, TransportLadder, TransportName } from './transports/transport.ts'

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
): TransportLadder {
  const [first, ...others] = (names ?? kinds.map(({ name }) => name))
    .flatMap((name) => kinds.filter((kind) => kind.name === name))
    .filter(({ name, isTextOnly }) => !(isTextOnly && codec.isBinary) && (name !== 'websocket' || WebSocket))
  if (!first) throw new TypeError('There is no transport left; pass one as `options.WebSocket`.')
  return createLadder([first, ...others], environment, `serverchannel ${hub.origin}${hub.pathname} transport`)
}

/**
 * Which transport the next attempt is made with: the first that passes. The choice is remembered for five minutes, for
 * the browser's other pages and later ones too, unless the network becomes another one. After that the one that is wanted
 * most is tried again: by the next attempt, or beside a connection that is open. A closure and no class, because it is
 * smaller.
 *
 * @param key what the choice is remembered under
 */
function createLadder(
  kinds: readonly [TransportKind, ...TransportKind[]],
  environment: Environment,
  key: string,
): TransportLadder {
  const { now, kept = keptByPage } = environment
  let index = 0
  /** The transport of this index works here. */
  let working = -1
  /** It carries the connection, or did so last. */
  let carrying = 0
  let failures = 0
  /** When the first one gets another chance. */
  let avoidedUntil = 0

  const anotherNetwork = (): void => {
    index = 0
    working = -1
    avoidedUntil = 0
  }

  const avoid = (): void => {
    index = working = carrying
    avoidedUntil = now() + AVOIDED_MS
    try {
      kept('browser')?.setItem(key, `${kinds[index]?.name} ${avoidedUntil}`)
    } catch {
      // Full: then it is found out anew.
    }
  }

  const [name, until] = (kept('browser')?.getItem(key) ?? '').split(' ')
  const known = kinds.findIndex((kind) => kind.name === name)
  const aheadMs = Number(until) - now()
  // A clock that was set back would have it avoided for ever.
  if (known > 0 && aheadMs > 0 && aheadMs <= AVOIDED_MS) {
    index = working = known
    avoidedUntil = Number(until)
  }
  return {
    next() {
      if (working > 0 && now() >= avoidedUntil) anotherNetwork()
      return kinds[index] ?? kinds[0]
    },
    worked() {
      failures = 0
      carrying = index
      if (working === index) return
      working = index
      if (index > 0) avoid()
      else kept('browser')?.removeItem(key)
    },
    failed(verdict) {
      failures++
      if (!verdict && (working !== index || failures >= FAILURES_MAX)) {
        failures = 0
        if (index + 1 < kinds.length) {
          index++
          return true
        }
      }
      // Whoever answers, or nobody does: it was not the transport's fault. What worked is tried first.
      index = Math.max(working, 0)
      return false
    },
    anotherNetwork,
    best: () => kinds[0],
    betterInMs: () => (carrying > 0 ? Math.max(0, avoidedUntil - now()) : undefined),
    avoid,
  }
}
