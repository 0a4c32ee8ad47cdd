import type { HubMessage } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { HubRecord } from './codec.ts'
import { CANCEL_INVOCATION, COMPLETION, INVOCATION, STREAM_INVOCATION, STREAM_ITEM } from './message-types.ts'
import type { SourceCalls } from './source.ts'

/** What waits for the answer to a call. */
interface Pending {
  onItem(item: unknown): void
  /** Comes once. */
  onEnd(error: Error | undefined, result?: unknown): void
}

/** Calls of a hub's methods over a connection, and their answers. Source: SIGNALR 2.8, 2.11. */
export interface Calls extends SourceCalls {
  receive(record: HubRecord): void
  /** The connection is gone, and with it what becomes of the calls. */
  lose(error?: ChannelError): void
}

/** @param send throws where there is no connection */
export function createCalls(send: (message: HubMessage) => void): Calls {
  const pending = new Map<string, Pending>()
  let lastId = 0

  /** Sends a call. Returns what cancels it. */
  const call = (type: 1 | 4, target: string, args: readonly unknown[], waiting: Pending): (() => void) => {
    const invocationId = `${++lastId}`
    const values: unknown[] = []
    const streamIds: string[] = []
    for (const value of args) {
      if (isStream(value)) {
        const streamId = `${++lastId}`
        streamIds.push(streamId)
        void upload(streamId, value, () => pending.has(invocationId))
      } else values.push(value)
    }
    send({ type, invocationId, target, arguments: values, ...(streamIds.length > 0 ? { streamIds } : {}) })
    pending.set(invocationId, waiting)
    return () => {
      if (pending.delete(invocationId)) send({ type: CANCEL_INVOCATION, invocationId })
    }
  }

  /** Goes on for as long as somebody waits for the call. */
  const upload = async (id: string, items: AsyncIterable<unknown>, isWanted: () => boolean): Promise<void> => {
    let error: string | undefined
    // The call itself goes first.
    await Promise.resolve()
    try {
      for await (const item of items) {
        if (!isWanted()) return
        send({ type: STREAM_ITEM, invocationId: id, item })
      }
    } catch (cause) {
      error = String(cause)
    }
    if (isWanted()) send({ type: COMPLETION, invocationId: id, ...(error ? { error } : {}) })
  }

  return {
    get isBusy() {
      return pending.size > 0
    },
    invoke(method, args, { signal }) {
      return new Promise((resolve, reject) => {
        const stop = (): void => {
          cancel()
          reject(signal?.reason as Error)
        }
        const cancel = call(INVOCATION, method, args, {
          onItem() {},
          onEnd(error, result) {
            signal?.removeEventListener('abort', stop)
            if (error) reject(error)
            else resolve(result)
          },
        })
        signal?.addEventListener('abort', stop)
      })
    },
    async *stream(method, args, { signal }) {
      const items: unknown[] = []
      let end: { readonly error: Error | undefined } | undefined
      let wake = (): void => {}
      const cancel = call(STREAM_INVOCATION, method, args, {
        onItem(item) {
          items.push(item)
          wake()
        },
        onEnd(error) {
          end = { error }
          wake()
        },
      })
      const stop = (): void => wake()
      signal?.addEventListener('abort', stop)
      try {
        for (;;) {
          signal?.throwIfAborted()
          if (items.length > 0) yield items.shift()
          else if (end) {
            if (end.error) throw end.error
            return
          } else {
            await new Promise<void>((resolve) => {
              wake = resolve
            })
          }
        }
      } finally {
        signal?.removeEventListener('abort', stop)
        cancel()
      }
    },
    receive({ type, invocationId, item, result, error }) {
      const id = String(invocationId)
      const waiting = pending.get(id)
      if (type === STREAM_ITEM) waiting?.onItem(item)
      else if (type === COMPLETION && pending.delete(id)) {
        waiting?.onEnd(typeof error === 'string' ? new ChannelError('call_failed', error) : undefined, result)
      }
    },
    lose(error = new ChannelError('connection_lost', 'The connection was closed.')) {
      const lost = [...pending.values()]
      pending.clear()
      for (const waiting of lost) waiting.onEnd(error)
    },
  }
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
