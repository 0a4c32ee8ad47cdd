import { MessageType } from '@serverchannel/protocol'
import { ChannelError } from './channel-error.ts'
import { Connection } from './connection.ts'
import { readInvocation } from './invocation.ts'
import type { Settings } from './options.ts'
import type { MessageSource, SourceListener } from './source.ts'

/** A source that is a connection of this page's own. */
export function openConnectionSource(hub: URL, settings: Settings, listener: SourceListener): MessageSource {
  const receive = (target: unknown, args: unknown): void => {
    const invocation = readInvocation(target, args)
    switch (invocation.name) {
      case 'message':
        // A server without positions states none; one that has them sends messages without only past the log.
        if (invocation.message.Position !== undefined) connection.keepCatchingUp()
        else if (listener.position === undefined) connection.caughtUp()
        listener.onMessage(invocation.message)
        return
      case 'state':
        listener.onChannelState(invocation.state)
        connection.caughtUp()
        return
      case 'owner':
        listener.onOwner(invocation.owner)
        return
      case 'broken':
        listener.onError(new ChannelError('protocol_broken', 'The server sent a message or a state that is none.'))
        return
      case 'unknown':
        return
      default:
        invocation satisfies never
    }
  }
  const connection: Connection = new Connection(hub, settings, {
    query() {
      const { position = '', owner } = listener
      return { position, ...(owner === undefined ? {} : { owner }) }
    },
    onHandshake() {},
    onRecord(record) {
      if (record.type === MessageType.Invocation) receive(record.target, record.arguments)
      else calls?.receive(record)
    },
    onStateChange(state, previous, error) {
      if (previous === 'open') calls?.lose(error ?? new ChannelError('connection_lost', 'The connection was closed.'))
      listener.onStateChange(state, previous, error)
    },
    onError: (error) => listener.onError(error),
  })
  const calls = settings.createCalls?.((message) => connection.send(message))
  return {
    get state() {
      return connection.state
    },
    get heardAt() {
      return connection.heardAt
    },
    calls,
    wake: () => connection.wake(),
    close: () => connection.close(),
  }
}
