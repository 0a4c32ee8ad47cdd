import { DestroyRef, InjectionToken, inject, type Provider, type Signal, signal } from '@angular/core'
import type { Message } from '@serverchannel/protocol'
import type { ConnectionState } from '../connection-state.ts'
import { latestOf, type MessageSource, type Shown, type SourceOptions, stateOf } from './message-source.ts'

export type { MessageSource, SourceOptions } from './message-source.ts'

const CHANNEL: InjectionToken<MessageSource> = new InjectionToken<MessageSource>('ServerChannel')

/**
 * Gives the application, or a component and those below it, their channel. It neither opens nor closes it.
 *
 * @example
 * bootstrapApplication(App, { providers: [provideChannel(connect('/msg'))] })
 */
export function provideChannel(channel: MessageSource): Provider {
  return { provide: CHANNEL, useValue: channel }
}

/** The channel that was provided, or the one given. To be called where `inject` may. @throws Error where there is none */
export function injectChannel({ channel }: SourceOptions = {}): MessageSource {
  const source = channel ?? inject(CHANNEL, { optional: true })
  if (!source) throw new Error('There is no channel here: add provideChannel(channel) to the providers.')
  return source
}

/**
 * Calls the handler with each message of a sender, until the component, directive or injector is destroyed. What it
 * writes into signals is shown, with zones and without.
 *
 * @example
 * constructor() { injectMessage<{ id: number }>('OrderChanged', ({ id }) => this.refresh(id)) }
 */
export function injectMessage<Body = unknown>(
  sender: string,
  handler: (body: Body, message: Message<Body>) => void,
  options?: SourceOptions,
): void {
  const call = (body: unknown, message: Message): void => handler(body as Body, message as Message<Body>)
  inject(DestroyRef).onDestroy(injectChannel(options).on(sender, call))
}

/**
 * The newest body of a sender since the component is there, and the initial value before the first.
 *
 * @example
 * readonly progress = injectLatest('ImportProgress', 0) // progress()
 */
export function injectLatest<Body>(sender: string, initial: Body, options?: SourceOptions): Signal<Body> {
  return toSignal(latestOf(injectChannel(options), sender, initial))
}

/** `connecting`, `open`, `reconnecting` or `closed`. @example readonly state = injectConnectionState() // state() */
export function injectConnectionState(options?: SourceOptions): Signal<ConnectionState> {
  return toSignal(stateOf(injectChannel(options)))
}

function toSignal<Value>(shown: Shown<Value>): Signal<Value> {
  const written = signal(shown.get())
  inject(DestroyRef).onDestroy(shown.subscribe((value) => written.set(value)))
  return written.asReadonly()
}
