import type { Message } from '@serverchannel/protocol'
import { getContext, onDestroy, setContext } from 'svelte'
import type { Readable } from 'svelte/store'
import type { ConnectionState } from '../connection-state.ts'
import { latestOf, type MessageSource, type Shown, type SourceOptions, stateOf } from './message-source.ts'

export type { MessageSource, SourceOptions } from './message-source.ts'

const KEY = Symbol('ServerChannel')

/**
 * Gives the component that calls it, and all below it, their channel. It neither opens nor closes it.
 *
 * @example
 * setChannel(connect('/msg'))
 */
export function setChannel(channel: MessageSource): void {
  setContext(KEY, channel)
}

/** The channel of the surroundings, or the one given. @throws Error where there is none */
export function getChannel({ channel }: SourceOptions = {}): MessageSource {
  const source = channel ?? getContext<MessageSource | undefined>(KEY)
  if (!source) throw new Error('There is no channel here: call setChannel(channel) in a component above.')
  return source
}

/**
 * Calls the handler with each message of a sender, until the component is gone.
 *
 * @example
 * onMessage<{ id: number }>('OrderChanged', ({ id }) => refresh(id))
 */
export function onMessage<Body = unknown>(
  sender: string,
  handler: (body: Body, message: Message<Body>) => void,
  options?: SourceOptions,
): void {
  const call = (body: unknown, message: Message): void => handler(body as Body, message as Message<Body>)
  onDestroy(getChannel(options).on(sender, call))
}

/**
 * A store of the newest body of a sender: the initial value before the first. It listens while it is subscribed to.
 *
 * @example
 * const progress = latest('ImportProgress', 0) // $progress
 */
export function latest<Body>(sender: string, initial: Body, options?: SourceOptions): Readable<Body> {
  return toStore(latestOf(getChannel(options), sender, initial))
}

/** A store of `connecting`, `open`, `reconnecting` or `closed`. @example const state = connectionState() // $state */
export function connectionState(options?: SourceOptions): Readable<ConnectionState> {
  return toStore(stateOf(getChannel(options)))
}

/** Svelte's stores call back at once with what they hold. */
function toStore<Value>(shown: Shown<Value>): Readable<Value> {
  return {
    subscribe(run) {
      run(shown.get())
      return shown.subscribe(run)
    },
  }
}
