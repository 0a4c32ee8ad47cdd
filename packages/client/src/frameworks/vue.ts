import type { Message } from '@serverchannel/protocol'
import {
  type InjectionKey,
  inject,
  onScopeDispose,
  type Plugin,
  type ShallowRef,
  shallowReadonly,
  shallowRef,
} from 'vue'
import type { ConnectionState } from '../connection-state.ts'
import { latestOf, type MessageSource, type Shown, type SourceOptions, stateOf } from './message-source.ts'

export type { MessageSource, SourceOptions } from './message-source.ts'

const KEY: InjectionKey<MessageSource> = Symbol('ServerChannel')

/**
 * The plugin that gives all components of an app their channel. It neither opens nor closes it.
 *
 * @example
 * createApp(App).use(serverChannel(connect('/msg'))).mount('#app')
 */
export function serverChannel(channel: MessageSource): Plugin {
  return { install: (app) => void app.provide(KEY, channel) }
}

/** The channel of the app, or the one given. @throws Error where there is none */
export function useChannel({ channel }: SourceOptions = {}): MessageSource {
  const source = channel ?? inject(KEY, undefined)
  if (!source) throw new Error('There is no channel here: app.use(serverChannel(channel)) first.')
  return source
}

/**
 * Calls the handler with each message of a sender, until the component or scope is gone.
 *
 * @example
 * useMessage<{ id: number }>('OrderChanged', ({ id }) => refresh(id))
 */
export function useMessage<Body = unknown>(
  sender: string,
  handler: (body: Body, message: Message<Body>) => void,
  options?: SourceOptions,
): void {
  const call = (body: unknown, message: Message): void => handler(body as Body, message as Message<Body>)
  onScopeDispose(useChannel(options).on(sender, call))
}

/**
 * The newest body of a sender since the component is there, and the initial value before the first.
 *
 * @example
 * const progress = useLatest('ImportProgress', 0) // progress.value, or {{ progress }} in the template
 */
export function useLatest<Body>(sender: string, initial: Body, options?: SourceOptions): Readonly<ShallowRef<Body>> {
  return toRef(latestOf(useChannel(options), sender, initial))
}

/** `connecting`, `open`, `reconnecting` or `closed`. @example const state = useConnectionState() */
export function useConnectionState(options?: SourceOptions): Readonly<ShallowRef<ConnectionState>> {
  return toRef(stateOf(useChannel(options)))
}

function toRef<Value>(shown: Shown<Value>): Readonly<ShallowRef<Value>> {
  const ref = shallowRef(shown.get())
  onScopeDispose(
    shown.subscribe((value) => {
      ref.value = value
    }),
  )
  return shallowReadonly(ref)
}
