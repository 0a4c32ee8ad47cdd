/** The events of `ServerChannel`. Source: PARITY 2.1. */
export const EventName = {
  /** `(channel, message)`: a message came. */
  ON_MESSAGE: 'message',
  /** `(channel, { recovered, reason })`: connected, at first and each time again. */
  ON_CONNECTION_INITIALIZED: 'opened',
  /** `(channel, { error, reconnects })`: the connection is gone. */
  ON_CHANNEL_CLOSED: 'closed',
  /** `(channel, error)`: something went wrong. */
  ON_ERROR: 'error',
} as const

/** What `getConnectionState()` gives. Source: PARITY 2.1. */
export const SocketConnectionState = {
  CONNECTING: 0,
  OPEN: 1,
  CLOSING: 2,
  CLOSED: 3,
  NOT_INITIALIZED: 4,
} as const

/** The platform's own senders: message ids that applications leave alone. Source: PARITY 2.1. */
export const ServerChannelSender = {
  CONSOLE_COMMAND: 'ConsoleCommand',
  BROADCAST_MESSAGE: 'BroadcastMsg',
  COMMAND_SERVICE: 'CommandService',
  PTP_MESSAGE: 'PTPMsg',
} as const
