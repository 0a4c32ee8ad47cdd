import type { Message } from '@serverchannel/protocol'
import type { ConnectionState } from '../connection-state.ts'

/** What the entries for frameworks need of a channel. A {@link Channel} has it, and so does that of the testing kit. */
export interface MessageSource {
  readonly state: ConnectionState
  on(sender: string, handler: (body: unknown, message: Message) => void): () => void
  onStateChange(handler: (state: ConnectionState) => void): () => void
}

/** Which channel, where it is another one than that of the surroundings. */
export interface SourceOptions {
  readonly channel?: MessageSource | undefined
}

/** Something that is shown: what it is now, and when it is another one. */
export interface Shown<Value> {
  readonly get: () => Value
  /** Calls back after each change. Returns what ends that. */
  readonly subscribe: (onChange: (value: Value) => void) => () => void
}

/** The newest body of a sender, kept as long as somebody is subscribed, and after that what it was then. */
export function latestOf<Body>(source: MessageSource, sender: string, initial: Body): Shown<Body> {
  let latest = initial
  const subscribers = new Set<(value: Body) => void>()
  let off: (() => void) | undefined
  const receive = (body: unknown): void => {
    // What is posted under a sender is agreed between the two ends; the types say what the page expects.
    latest = body as Body
    for (const onChange of subscribers) onChange(latest)
  }
  return {
    get: () => latest,
    subscribe(onChange) {
      // The same function may be given twice.
      const call = (value: Body): void => onChange(value)
      subscribers.add(call)
      off ??= source.on(sender, receive)
      return () => {
        subscribers.delete(call)
        if (subscribers.size > 0) return
        off?.()
        off = undefined
      }
    },
  }
}

/** The state of the connection. */
export function stateOf(source: MessageSource): Shown<ConnectionState> {
  return { get: () => source.state, subscribe: (onChange) => source.onStateChange(onChange) }
}
