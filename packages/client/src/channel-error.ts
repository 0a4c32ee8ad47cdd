/**
 * What can go wrong, by name.
 *
 * | code | what happened | what the channel does |
 * |---|---|---|
 * | `access_token_failed` | the `accessToken` function threw or rejected; see `cause` | tries again |
 * | `buffer_overflow` | a `messages()` loop, or a page with suspended events, fell behind by more than its ceiling | goes on |
 * | `call_failed` | the hub method that was called answered with an error, which the message is | goes on |
 * | `channel_closed` | `close()` was called while something was waited for | is closed |
 * | `closed_by_server` | the server ended the connection and wants no other | is closed |
 * | `connection_failed` | the server could not be reached, or refused the upgrade (401, 403, 503: browsers don't say) | tries again |
 * | `connection_lost` | an established connection ended | tries again |
 * | `handshake_refused` | the server does not speak the protocol with this client | is closed |
 * | `handshake_timeout` | no connection within `handshakeTimeoutMs` | tries again |
 * | `protocol_broken` | the server sent what is not the protocol; one bad message is passed over | goes on, or tries again |
 * | `server_timeout` | nothing came for `serverTimeoutMs` | tries again |
 */
export type ChannelErrorCode =
  | 'access_token_failed'
  | 'buffer_overflow'
  | 'call_failed'
  | 'channel_closed'
  | 'closed_by_server'
  | 'connection_failed'
  | 'connection_lost'
  | 'handshake_refused'
  | 'handshake_timeout'
  | 'protocol_broken'
  | 'server_timeout'

/**
 * What the world did wrong. The message says it to people, the code to programs, `cause` has what is underneath.
 *
 * @example
 * channel.onError((error) => {
 *   if (channel.state === 'closed') showBanner(`No live updates: ${error.message}`)
 * })
 */
export class ChannelError extends Error {
  override readonly name = 'ChannelError'
  readonly code: ChannelErrorCode

  constructor(code: ChannelErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
