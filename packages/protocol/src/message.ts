/** The hub method a client gets its messages by; one argument, a {@link Message}. Source: DESIGN §5, PARITY 3. */
export const SERVER_MESSAGE_TARGET = 'ServerMessage'

/** The hub method that tells a client where it is in the log; one argument, a {@link ChannelState}. */
export const CHANNEL_STATE_TARGET = 'ChannelState'

/**
 * The hub method that tells a client which asked (`?owner=`) whose its position is: one argument, a text that is another
 * for each user and says nothing about him. A position is resumed only for whom it was kept.
 */
export const CHANNEL_OWNER_TARGET = 'ChannelOwner'

/** Who a message says it is from and what its body is. Source: PARITY 1.2, `IMsgHeader`. */
export interface MessageHeader {
  /** The message id by which a page knows its message. Case-sensitive. */
  readonly Sender: string
  /** The body's type by the poster's own naming. Left out when empty. */
  readonly BodyTypeName?: string
  /** How it is to be addressed, by the poster's own naming: Creatio has `PTPMsg`, `BroadcastMsg`, `ServerMsg`. Left out when empty. */
  readonly ChannelType?: string
  /** Which client sent it, as the server knows it: no poster can write this. Left out where the server's own code posted it. */
  readonly SentBy?: MessageOrigin
}

/** The client that a message comes from. */
export interface MessageOrigin {
  /** The user id that its connection was authenticated with. Left out where it is nobody in particular. */
  readonly User?: string
  /** The public id of its connection. */
  readonly ConnectionId: string
}

/** A message as it is on the wire and in a handler. Source: PARITY 1.2, `SimpleMessage`. */
export interface Message<Body = unknown> {
  /** A UUID, or the idempotency key that the poster gave. */
  readonly Id: string
  readonly Header: MessageHeader
  /** Any JSON value, exactly as it was posted. A string is never parsed. */
  readonly Body: Body
  /** Where it is in the log, `epoch:offset`; see {@link parsePosition}. */
  readonly Position?: string
}

/** Why what a client missed can't be given to it. */
export type LossReason = 'epoch-changed' | 'history-trimmed'

/**
 * Where a client is in the log, sent to those that connect with `?position=`. From here on it gets everything that is
 * for it. Source: DESIGN §4 "Away", §5.
 */
export interface ChannelState {
  readonly epoch: string
  /** The client has all that is for it up to and including this offset, unless `recovered` is false. */
  readonly offset: number
  /** Left out when nothing was to be recovered. True: all of it came before this. False: none of it will. */
  readonly recovered?: boolean
  /** Given when `recovered` is false. */
  readonly reason?: LossReason
}
