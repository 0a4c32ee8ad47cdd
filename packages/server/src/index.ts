export {
  type BodyOf,
  defineMessages,
  type HubContract,
  type Message,
  type MessageContract,
  type MessageHeader,
  type MessageOrigin,
  type NoContract,
  type SenderOf,
} from '@serverchannel/protocol'
export { signUserToken, type UserTokenOptions, userTokens } from './auth/user-tokens.ts'
export type { PostOf, PostOptions } from './channel/addressing.ts'
export type { Audience, AudienceInput } from './channel/audience.ts'
export type { Receipt } from './channel/channel.ts'
export { ChannelError, type ErrorCode, errorKinds } from './channel/channel-error.ts'
export {
  allConnections,
  type ClientMessage,
  type ClientMessagePolicy,
  type MessageCaller,
  ownConnections,
} from './channel/client-message.ts'
export type { Draft, Entry } from './channel/entry.ts'
export type { History } from './channel/history.ts'
export type { ReadQuery } from './channel/history-query.ts'
export type { Post } from './channel/intake.ts'
export type { Posting } from './channel/posting.ts'
export type { Appended, Durability, LogFollower, LogState, Store, StoreRead } from './channel/store.ts'
export type { DisconnectUserOptions } from './cluster/connections.ts'
export type { MapOptions, MappedHub } from './endpoints.ts'
export type { ChannelContract } from './hub/channel-methods.ts'
export type { ClientEnvelope } from './hub/client-envelope.ts'
export type { ClientMessageReceiver, ReceiverOptions } from './hub/client-messages.ts'
export type { CallerClients, ClientTarget, HubClients, SingleClient } from './hub/hub-clients.ts'
export type { HubContext } from './hub/hub-context.ts'
export type { TypedConnection } from './hub/hub-contract.ts'
export {
  type Authorize,
  defineHub,
  type FilteredCall,
  type HubDefinition,
  type HubFilter,
  type HubMethods,
  type HubOptions,
} from './hub/hub-definition.ts'
export type { InvokeOptions } from './hub/hub-directory.ts'
export { HubException } from './hub/hub-exception.ts'
export type { HubGroups } from './hub/hub-groups.ts'
export type { HubRequest } from './hub/hub-peer.ts'
export type { RawConnection, ServeRaw } from './hub/raw-connection.ts'
export { type UploadParameter, unchecked, upload, type Validator } from './hub/validator.ts'
export type { ListenAddress, ListenOptions } from './listen-options.ts'
export {
  type Authenticate,
  type DirectWrites,
  type Identity,
  type LimitName,
  type Limits,
  limits,
  type NodesOptions,
  type Redirect,
  type RedirectClient,
  type ServerChannelOptions,
} from './options.ts'
export type { QueryTransaction, SynchronousTransaction, TemplateTransaction, Transaction } from './outbox/outbox.ts'
export type { TransactionChannel, TransactionReceipt } from './outbox/transaction-channel.ts'
export { createServerChannel } from './server.ts'
export type { ServerChannel } from './server-channel.ts'
