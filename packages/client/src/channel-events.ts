import type { Message } from '@serverchannel/protocol'
import type { ChannelError } from './channel-error.ts'
import type { ConnectionState } from './connection.ts'
import type { Gap } from './cursor.ts'

/** What came with a change of the channel's state. */
export interface StateChange {
  readonly state: ConnectionState
  readonly previous: ConnectionState
  /** With `open`. True: all that was missed has come. False: it is lost. Undefined: there was nothing to come. */
  readonly recovered?: boolean
  /** Why it is lost. */
  readonly reason?: Gap['reason']
  /** With `reconnecting` and `closed`: why. Undefined after `close()`, and when the page was put away. */
  readonly error?: ChannelError
}

/** What a channel dispatches as an EventTarget. */
export interface ChannelEvents {
  /** `data` is the body, `lastEventId` the position. */
  message: MessageEvent<unknown> & { readonly message: Message }
  statechange: Event & StateChange
  gap: Event & Gap
  error: Event & { readonly error: ChannelError }
}

type Listener<Type extends keyof ChannelEvents> =
  | ((event: ChannelEvents[Type]) => void)
  | { handleEvent(event: ChannelEvents[Type]): void }

/** An EventTarget with these events. */
export interface ChannelEventTarget extends EventTarget {
  addEventListener<Type extends keyof ChannelEvents>(
    type: Type,
    listener: Listener<Type> | null,
    options?: boolean | AddEventListenerOptions,
  ): void
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void
  removeEventListener<Type extends keyof ChannelEvents>(
    type: Type,
    listener: Listener<Type> | null,
    options?: boolean | EventListenerOptions,
  ): void
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void
}
