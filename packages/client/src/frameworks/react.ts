import type { Message } from '@serverchannel/protocol'
import {
  type Context,
  createContext,
  type Provider,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from 'react'
import type { ConnectionState } from '../connection-state.ts'
import { latestOf, type MessageSource, type Shown, type SourceOptions, stateOf } from './message-source.ts'

export type { MessageSource, SourceOptions } from './message-source.ts'

const ChannelContext: Context<MessageSource | undefined> = createContext<MessageSource | undefined>(undefined)

/**
 * Gives all components below it their channel. It neither opens nor closes it.
 *
 * @example
 * const channel = connect('/msg')
 * root.render(<ChannelProvider value={channel}><App /></ChannelProvider>)
 */
export const ChannelProvider: Provider<MessageSource | undefined> = ChannelContext.Provider

/** The channel of the surroundings, or the one given. @throws Error where there is none */
export function useChannel({ channel }: SourceOptions = {}): MessageSource {
  const surrounding = useContext(ChannelContext)
  const source = channel ?? surrounding
  if (!source) throw new Error('There is no channel here: put <ChannelProvider value={channel}> around the component.')
  return source
}

/**
 * Calls the handler with each message of a sender, as long as the component is there. The handler may be another one at
 * each rendering: the newest is called, and nothing is subscribed anew.
 *
 * @example
 * useMessage<{ id: number }>('OrderChanged', ({ id }) => refresh(id))
 */
export function useMessage<Body = unknown>(
  sender: string,
  handler: (body: Body, message: Message<Body>) => void,
  options?: SourceOptions,
): void {
  const source = useChannel(options)
  const newest = useRef(handler)
  useEffect(() => {
    newest.current = handler
  })
  useEffect(
    () => source.on(sender, (body, message) => newest.current(body as Body, message as Message<Body>)),
    [source, sender],
  )
}

/**
 * The newest body of a sender since the component is there, and the initial value before the first.
 *
 * @example
 * const progress = useLatest('ImportProgress', 0)
 */
export function useLatest<Body>(sender: string, initial: Body, options?: SourceOptions): Body {
  const source = useChannel(options)
  const first = useRef(initial)
  const shown = useMemo(() => latestOf(source, sender, first.current), [source, sender])
  return useShown(shown, first.current)
}

/**
 * `connecting`, `open`, `reconnecting` or `closed`.
 *
 * @example
 * if (useConnectionState() === 'reconnecting') return <p>Offline: what you see may be out of date.</p>
 */
export function useConnectionState(options?: SourceOptions): ConnectionState {
  const source = useChannel(options)
  const shown = useMemo(() => stateOf(source), [source])
  return useShown(shown, 'connecting')
}

function useShown<Value>(shown: Shown<Value>, onServer: Value): Value {
  return useSyncExternalStore(shown.subscribe, shown.get, () => onServer)
}
