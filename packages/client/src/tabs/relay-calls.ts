import type { HubMessage } from '@serverchannel/protocol'
import type { Calls } from '../calls.ts'
import type { HubRecord } from '../codec.ts'
import { CANCEL_INVOCATION, COMPLETION, INVOCATION, STREAM_INVOCATION } from '../message-types.ts'

/** The calls of all tabs over one connection: each tab's ids stay apart. */
export interface RelayCalls {
  /** For the connection, which gives what it sends with. */
  create(send: (message: HubMessage) => void): Calls
  /** A tab calls. */
  send(tab: string, message: HubMessage): void
  /** Cancels what a tab that is gone waits for. */
  drop(tab: string): void
}

/** @param answer takes to a tab what is for it, with its own ids */
export function createRelayCalls(answer: (tab: string, record: HubRecord) => void): RelayCalls {
  let sendOn: ((message: HubMessage) => void) | undefined
  /** Ids of calls that are not answered yet, as they are on the connection. */
  const open = new Set<string>()

  const failed = (tab: string, invocationId: string): void =>
    answer(tab, { type: COMPLETION, invocationId, error: 'The connection was lost.' })

  return {
    create(send) {
      sendOn = send
      return {
        get isBusy() {
          return open.size > 0
        },
        invoke: unused,
        stream: unused,
        receive(record) {
          const id = String(record.invocationId)
          const [tab, own] = split(id)
          if (record.type === COMPLETION) open.delete(id)
          if (own !== undefined) answer(tab, { ...record, invocationId: own })
        },
        lose() {
          for (const id of open) {
            const [tab, own] = split(id)
            if (own !== undefined) failed(tab, own)
          }
          open.clear()
        },
      }
    },
    send(tab, message) {
      const renamed = rename(tab, message)
      const { invocationId } = renamed as { readonly invocationId?: string }
      const isCall = renamed.type === INVOCATION || renamed.type === STREAM_INVOCATION
      try {
        if (!sendOn) throw new Error('There is no connection yet.')
        sendOn(renamed)
        if (isCall && invocationId !== undefined) open.add(invocationId)
      } catch {
        const [, own] = split(invocationId ?? '')
        if (isCall && own !== undefined) failed(tab, own)
      }
    },
    drop(tab) {
      for (const id of open) {
        if (split(id)[0] !== tab) continue
        open.delete(id)
        try {
          sendOn?.({ type: CANCEL_INVOCATION, invocationId: id })
        } catch {
          // Without a connection there is nothing to cancel.
        }
      }
    },
  }
}

function unused(): never {
  throw new Error('Calls come from tabs.')
}

function rename(tab: string, message: HubMessage): HubMessage {
  const { invocationId, streamIds } = message as {
    readonly invocationId?: string
    readonly streamIds?: readonly string[]
  }
  return {
    ...message,
    ...(invocationId === undefined ? {} : { invocationId: join(tab, invocationId) }),
    ...(streamIds === undefined ? {} : { streamIds: streamIds.map((id) => join(tab, id)) }),
  }
}

function join(tab: string, id: string): string {
  return `${tab} ${id}`
}

/** A tab's name has no space in it. */
function split(id: string): [tab: string, own: string | undefined] {
  const space = id.indexOf(' ')
  return space === -1 ? [id, undefined] : [id.slice(0, space), id.slice(space + 1)]
}
