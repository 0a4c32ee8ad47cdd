import type { AudienceInput } from './audience.ts'
import { reservedSenders } from './reserved-senders.ts'

/** A message that a client sent. */
export interface ClientMessage {
  /** The client's own; one that was made for it where it gave none. */
  readonly id: string
  readonly sender: string
  /** Any JSON value. */
  readonly body: unknown
  readonly bodyTypeName: string | undefined
  /** How the client means it to be addressed: Creatio's are `PTPMsg`, `BroadcastMsg` and `ServerMsg`. */
  readonly channelType: string | undefined
}

/** Which client sent it, as the server knows it. */
export interface MessageCaller {
  /** Undefined: nobody in particular. */
  readonly user: string | undefined
  /** Those of the identity that the connection was authenticated with. */
  readonly groups: readonly string[]
  readonly connectionId: string
}

/**
 * Says whom a client's message is for; false or nothing: for nobody, and the client is told so. It is posted as it came,
 * with `Header.SentBy` naming the client.
 */
export type ClientMessagePolicy = (
  message: ClientMessage & MessageCaller,
) => AudienceInput | false | null | undefined | Promise<AudienceInput | false | null | undefined>

/** The policy by which nothing that a client sends goes to others. */
export const nobody: ClientMessagePolicy = () => false

/**
 * A policy: what is sent as `PTPMsg`, by its sender or its channel type, goes to all connections of the same user, and
 * nothing else goes to anybody. Source: PARITY 2.1, 2.5.
 *
 * @example createServerChannel({ authenticate, clientMessagePolicy: ownConnections })
 */
export function ownConnections({ sender, channelType, user }: ClientMessage & MessageCaller): AudienceInput | false {
  const isMeant = sender === reservedSenders.toOwn || channelType === reservedSenders.toOwn
  return isMeant && user !== undefined && { users: user }
}

/**
 * A policy: what an authenticated user sends as `BroadcastMsg`, by its sender or its channel type, goes to everybody, as
 * in Creatio. Only for where every user may speak to all others.
 *
 * @example clientMessagePolicy: (message) => ownConnections(message) || allConnections(message)
 */
export function allConnections({ sender, channelType, user }: ClientMessage & MessageCaller): AudienceInput | false {
  const isMeant = sender === reservedSenders.toAll || channelType === reservedSenders.toAll
  return isMeant && user !== undefined && 'all'
}

/** Whether the client means the server itself. */
export function isForServer({ sender, channelType }: ClientMessage): boolean {
  return sender === reservedSenders.toServer || channelType === reservedSenders.toServer
}
