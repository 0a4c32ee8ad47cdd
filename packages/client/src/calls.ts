import { MessageType, RECORD_SEPARATOR } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import type { HubRecord } from './record-reader.ts'

interface Pending {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: ChannelError) => void
}

/** Calls of the hub's methods that are not answered yet. Source: SIGNALR 2.8. */
export class Calls {
  readonly #pending = new Map<string, Pending>()
  #count = 0

  /** `send` gives false where there is no connection. */
  begin(method: string, args: readonly unknown[], send: (text: string) => boolean): Promise<unknown> {
    const invocationId = `${++this.#count}`
    const call = { type: MessageType.Invocation, invocationId, target: method, arguments: args }
    return new Promise((resolve, reject) => {
      // First, so that what can't be JSON is refused as such.
      const text = JSON.stringify(call) + RECORD_SEPARATOR
      if (send(text)) this.#pending.set(invocationId, { resolve, reject })
      else reject(new ChannelError('connection_failed', `There is no connection to call '${method}' on.`))
    })
  }

  complete({ invocationId, error, result }: HubRecord): void {
    if (typeof invocationId !== 'string') return
    const pending = this.#pending.get(invocationId)
    this.#pending.delete(invocationId)
    if (typeof error === 'string') pending?.reject(new ChannelError('call_failed', error))
    else pending?.resolve(result)
  }

  /** Nobody will answer: the connection they went out on is gone. */
  fail(error: ChannelError): void {
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}
