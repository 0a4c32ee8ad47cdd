export { signUserToken, type UserTokenOptions, userTokens } from './auth/user-tokens.ts'
export type { Audience, AudienceInput } from './channel/audience.ts'
export type { Receipt } from './channel/channel.ts'
export { ChannelError, type ErrorCode, errorKinds } from './channel/channel-error.ts'
export type { Draft, Entry } from './channel/entry.ts'
export type { Post } from './channel/intake.ts'
export type { Posting } from './channel/posting.ts'
export type { Durability, LogFollower, LogState, Store, StoreRead } from './channel/store.ts'
export {
  type Authenticate,
  type Identity,
  type LimitName,
  type Limits,
  limits,
  type ServerChannelOptions,
} from './options.ts'
export {
  createServerChannel,
  type ListenAddress,
  type ListenOptions,
  type PostOptions,
  type ServerChannel,
} from './server.ts'
