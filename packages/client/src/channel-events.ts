import type { Message } from '@serverchannel/protocol'
import type { ChannelError } from './channel-error.ts'
import type { ConnectionState } from './connection-state.ts'
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

/** A channel as an EventTarget with these events: each comes after the handlers that were added before the first listener. */
export interface ChannelEventTarget {
  dispatchEvent(event: Event): boolean
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

interface Observed {
  onMessage(handler: (message: Message) => void): unknown
  onStateChange(handler: (state: ConnectionState, change: StateChange) => void): unknown
  onGap(handler: (gap: Gap) => void): unknown
  onError(handler: (error: ChannelError) => void): unknown
}

/** An EventTarget of its own, which listens to the channel only for what is listened for. */
export function createEventTarget(channel: Observed): ChannelEventTarget {
  const target = new EventTarget()
  const dispatch = (type: string, detail: object): void => {
    target.dispatchEvent(Object.assign(new Event(type), detail))
  }
  const sources = new Map<string, () => unknown>([
    ['statechange', () => channel.onStateChange((_, change) => dispatch('statechange', change))],
    ['gap', () => channel.onGap((gap) => dispatch('gap', gap))],
    ['error', () => channel.onError((error) => dispatch('error', { error }))],
    [
      'message',
      () =>
        channel.onMessage((message) => {
          const event = new MessageEvent('message', { data: message.Body, lastEventId: message.Position ?? '' })
          target.dispatchEvent(Object.assign(event, { message }))
        }),
    ],
  ])
  return {
    addEventListener(
      type: string,
      listener: EventListenerOrEventListenerObject | null,
      options?: AddEventListenerOptions | boolean,
    ) {
      sources.get(type)?.()
      sources.delete(type)
      target.addEventListener(type, listener, options)
    },
    removeEventListener: (
      type: string,
      listener: EventListenerOrEventListenerObject | null,
      options?: EventListenerOptions | boolean,
    ) => target.removeEventListener(type, listener, options),
    dispatchEvent: (event) => target.dispatchEvent(event),
  }
}
