import type { ChannelError } from './channel-error.ts'
import type { ConnectionState } from './connection-state.ts'
import type { ListenOptions } from './listeners.ts'

/** Resolves as soon as it is open. Rejects where it is closed instead, or with the signal's reason. */
export async function untilOpen(
  opening: {
    readonly state: ConnectionState
    onStateChange(handler: (state: ConnectionState) => void, options: ListenOptions): unknown
  },
  closedError: () => ChannelError,
  { signal }: ListenOptions,
): Promise<void> {
  signal?.throwIfAborted()
  if (opening.state === 'open') return
  if (opening.state === 'closed') throw closedError()
  const settled = new AbortController()
  const untilSettled = { signal: settled.signal }
  try {
    await new Promise<void>((resolve, reject) => {
      opening.onStateChange((state) => {
        if (state === 'open') resolve()
        else if (state === 'closed') reject(closedError())
      }, untilSettled)
      signal?.addEventListener('abort', () => reject(signal.reason as Error), untilSettled)
    })
  } finally {
    settled.abort()
  }
}
