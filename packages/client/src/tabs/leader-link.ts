import type { Relay, RelayParts } from './relay.ts'
import type { OpenLink, ToRelay, ToTab } from './tab-message.ts'

/** What goes over the `BroadcastChannel`: from a tab to the leader, or from the leader to one tab, or to all. */
type Envelope =
  | { readonly from: string; readonly message: ToRelay }
  | { readonly to: string | undefined; readonly message: ToTab }

/**
 * The way to the tab that has the connection, where there is no `SharedWorker`: whoever holds the lock. When that tab is
 * closed, or put away, the lock passes to another one.
 *
 * @param createRelay what a tab has the connection with once it leads
 */
export function createLeaderLink(
  name: string,
  tab: string,
  createRelay: (parts: Pick<RelayParts, 'toTab' | 'toAll'>) => Relay,
): OpenLink {
  return (listener) => {
    const channel = new BroadcastChannel(name)
    const leaving = new AbortController()
    const { signal } = leaving
    let relay: Relay | undefined

    /** In a later turn, as from another tab. */
    const toThis = (message: ToTab): void =>
      queueMicrotask(() => {
        if (!signal.aborted) listener.onMessage(message)
      })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel has none
    const post = (envelope: Envelope): void => channel.postMessage(envelope)
    const toTab = (to: string, message: ToTab): void => {
      if (to === tab) toThis(message)
      else post({ to, message })
    }
    const toAll = (tabs: Iterable<string>, message: ToTab): void => {
      let hasOthers = false
      for (const each of tabs) {
        if (each === tab) toThis(message)
        else hasOthers = true
      }
      // Once for all: each of them hears everything that is said here.
      if (hasOthers) post({ to: undefined, message })
    }

    channel.addEventListener('message', ({ data }: MessageEvent<Envelope>) => {
      if ('from' in data) relay?.receive(data.from, data.message)
      else if (!relay && (data.to === undefined || data.to === tab)) listener.onMessage(data.message)
    })
    navigator.locks
      .request(name, { signal }, () => {
        relay = createRelay({ toTab, toAll })
        post({ to: undefined, message: { kind: 'changed' } })
        toThis({ kind: 'changed' })
        return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      })
      .catch(() => {})
    return {
      send(message) {
        if (relay) queueMicrotask(() => relay?.receive(tab, message))
        else if (!signal.aborted) post({ from: tab, message })
      },
      close() {
        leaving.abort()
        const led = relay
        // What was sent before still goes out: `leave` is on its way.
        queueMicrotask(() => {
          relay = undefined
          led?.close()
          channel.close()
        })
      },
    }
  }
}
