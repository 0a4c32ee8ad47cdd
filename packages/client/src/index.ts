export {
  type BodyOf,
  defineMessages,
  type HubContract,
  type LossReason,
  type Message,
  type MessageContract,
  type MessageHeader,
  type MessageOrigin,
  type SenderOf,
} from '@serverchannel/protocol'
export type { Channel as ListeningChannel, Lag, MessagesOptions } from './channel.ts'
export type { ChannelCalls, SendOptions } from './channel-calls.ts'
export { ChannelError, type ChannelErrorCode } from './channel-error.ts'
export type { ChannelEvents, ChannelEventTarget, StateChange } from './channel-events.ts'
export type { ClientCodec, HubRecord } from './codec.ts'
export { type Channel, connect, connectHub } from './connect.ts'
export type { ConnectionState } from './connection-state.ts'
export type { Gap } from './cursor.ts'
export type { Development } from './development.ts'
export type { Environment, KeptValues, Sign, Timer } from './environment.ts'
export type { Hub } from './hub.ts'
export type { HandlerOptions, ListenOptions, Off } from './listeners.ts'
export type { ConnectionOptions, ConnectOptions } from './options.ts'
export type { CallOptions } from './source.ts'
export type { TransportName, WebSocketConstructor, WebSocketLike } from './transports/transport.ts'
