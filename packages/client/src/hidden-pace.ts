import type { Environment } from './environment.ts'
import type { OpenSource } from './source.ts'

/**
 * A source that has the server tell a hidden page at most once in an interval, and of each key only the newest. A server
 * that can't do so tells it everything.
 *
 * @throws TypeError where the interval is none
 */
export function paceWhenHidden(open: OpenSource, environment: Environment, intervalMs = 10_000): OpenSource {
  if (!(intervalMs >= 1_000 && intervalMs <= 600_000)) {
    throw new TypeError(`hiddenIntervalMs needs to be 1000 to 600000; it is ${intervalMs}.`)
  }
  return (channel) => {
    /** What the server goes by; it forgets with the connection. */
    let told = 0
    const tell = (): void => {
      const wanted = environment.isHidden() ? intervalMs : 0
      if (source.state !== 'open' || wanted === told) return
      told = wanted
      source.calls?.invoke('TellEvery', [wanted], {}).catch(() => {})
    }
    const stopSigns = environment.onSign(tell)
    const source = open({
      ...channel,
      onStateChange(state, ...change) {
        if (state === 'open') {
          told = 0
          tell()
        } else if (state === 'closed') stopSigns()
        channel.onStateChange(state, ...change)
      },
    })
    return source
  }
}
