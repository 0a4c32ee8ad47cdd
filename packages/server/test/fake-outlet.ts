import type { ChannelState, Message } from '@serverchannel/protocol'
import type { ChannelError } from '../src/channel/channel-error.ts'
import type { Chunk } from '../src/channel/chunk.ts'
import type { Outlet } from '../src/channel/connection.ts'

/** What a client got: a message, or where it is in the log. */
export type Received = { readonly message: Message } | { readonly state: ChannelState }

/** Keeps all that is written to it. Its peer takes everything at once, until it is told not to. */
export class FakeOutlet implements Outlet {
  readonly chunks: Chunk[] = []
  /** Why it was closed. */
  closed: ChannelError | undefined
  outstandingBytes = 0
  isTaking = true
  onClose: (() => void) | undefined

  write(chunk: Chunk): void {
    this.chunks.push(chunk)
    if (!this.isTaking) this.outstandingBytes += chunk.payload.length
  }

  close(error: ChannelError): void {
    this.closed ??= error
    this.onClose?.()
  }

  /** All that it got, in order. */
  get received(): readonly Received[] {
    return this.chunks.flatMap(({ payload }) => decode(payload.toString()))
  }

  get messages(): readonly Message[] {
    return this.received.flatMap((received) => ('message' in received ? [received.message] : []))
  }

  /** The bodies of the messages, which most tests number. */
  get bodies(): readonly unknown[] {
    return this.messages.map(({ Body }) => Body)
  }

  get states(): readonly ChannelState[] {
    return this.received.flatMap((received) => ('state' in received ? [received.state] : []))
  }
}

export function decode(text: string): Received[] {
  return text
    .split('\x1e')
    .filter((record) => record !== '')
    .flatMap((record): Received[] => {
      const { target, arguments: args } = JSON.parse(record) as { target?: string; arguments?: [unknown] }
      if (target === 'ServerMessage' && args) return [{ message: args[0] as Message }]
      if (target === 'ChannelState' && args) return [{ state: args[0] as ChannelState }]
      return []
    })
}
