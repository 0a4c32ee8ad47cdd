/** What kind of wrong each code is. `docs/errors.md` says it to users; a test holds the two together. */
interface ErrorKind {
  /** HTTP status where the error answers a request, 0 where it only ever closes a connection. */
  readonly status: number
  /** Whether the same call can succeed later, unchanged. */
  readonly retry: boolean
  /** One sentence without the case's particulars. */
  readonly title: string
}

/** Every error that the world can cause. */
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = {
  already_open: { status: 409, retry: false, title: 'The connection is open already.' },
  audience_invalid: { status: 400, retry: false, title: 'The audience is not one.' },
  authentication_expired: {
    status: 0,
    retry: true,
    title: 'The identity that the connection was opened with expired.',
  },
  body_invalid: { status: 400, retry: false, title: 'The body is not what its contract says.' },
  body_not_json: { status: 400, retry: false, title: 'The body is not a JSON value.' },
  body_too_deep: { status: 400, retry: false, title: 'The body nests too deep.' },
  body_too_large: { status: 413, retry: false, title: 'The body is too large.' },
  channel_closed: { status: 503, retry: true, title: 'The channel is closed.' },
  client_timeout: { status: 0, retry: true, title: 'The client was silent for too long.' },
  connection_lost: { status: 0, retry: true, title: 'The connection was lost.' },
  content_type_unsupported: { status: 415, retry: false, title: 'The content type is not supported.' },
  development_only: { status: 403, retry: false, title: 'In development mode only this machine is served.' },
  disconnected: { status: 403, retry: false, title: 'The server ended the connection.' },
  history_lost: { status: 0, retry: true, title: 'What the connection had not read yet is gone from the log.' },
  host_forbidden: { status: 403, retry: false, title: 'The Host header names another host.' },
  id_invalid: { status: 400, retry: false, title: 'The id is not one.' },
  internal: { status: 500, retry: true, title: 'Something went wrong inside the server.' },
  key_rejected: { status: 401, retry: false, title: 'Posting needs an API key.' },
  message_invalid: { status: 400, retry: false, title: 'The message is not one.' },
  message_refused: { status: 0, retry: false, title: 'Nobody takes such messages from clients.' },
  message_too_large: { status: 0, retry: false, title: 'A received message is too large.' },
  method_not_allowed: { status: 405, retry: false, title: 'The method is not allowed here.' },
  no_channel: { status: 0, retry: false, title: 'There is no channel to post to.' },
  node_rejected: { status: 403, retry: false, title: 'The request is not of a node of this server.' },
  not_found: { status: 404, retry: false, title: 'There is nothing at this path.' },
  origin_forbidden: { status: 403, retry: false, title: 'Pages of this origin may not use the channel.' },
  position_invalid: { status: 400, retry: false, title: 'The position is not one.' },
  protocol_broken: { status: 0, retry: true, title: 'The client broke the protocol.' },
  query_invalid: { status: 400, retry: false, title: 'The query is not one.' },
  reader_stalled: { status: 0, retry: true, title: 'The client did not read for too long.' },
  request_not_json: { status: 400, retry: false, title: 'The request is not JSON.' },
  request_pipelined: {
    status: 400,
    retry: true,
    title: 'This request may not be sent before the answer to the one before it.',
  },
  request_too_large: { status: 413, retry: false, title: 'The request is too large.' },
  sender_invalid: { status: 400, retry: false, title: 'The sender is not one.' },
  sender_reserved: { status: 0, retry: false, title: "The sender is the server's own." },
  server_unreachable: { status: 0, retry: true, title: 'The server did not answer.' },
  server_shutdown: { status: 503, retry: true, title: 'The server is going down.' },
  store_failed: { status: 503, retry: true, title: 'The store did not take the message.' },
  token_rejected: { status: 401, retry: false, title: 'Connecting needs a valid token.' },
  too_many_connections: { status: 503, retry: true, title: 'There are too many connections.' },
  too_many_messages: { status: 0, retry: true, title: 'The client sends too many messages.' },
  too_many_posts: { status: 0, retry: true, title: 'Too many posts wait to be sent to the server.' },
  too_many_negotiations: { status: 503, retry: true, title: 'Too many connections were negotiated and not opened.' },
  ttl_invalid: { status: 400, retry: false, title: 'The ttl is not one.' },
}

export type ErrorCode =
  | 'already_open'
  | 'audience_invalid'
  | 'authentication_expired'
  | 'body_invalid'
  | 'body_not_json'
  | 'body_too_deep'
  | 'body_too_large'
  | 'channel_closed'
  | 'client_timeout'
  | 'connection_lost'
  | 'content_type_unsupported'
  | 'development_only'
  | 'disconnected'
  | 'history_lost'
  | 'host_forbidden'
  | 'id_invalid'
  | 'internal'
  | 'key_rejected'
  | 'message_invalid'
  | 'message_refused'
  | 'message_too_large'
  | 'method_not_allowed'
  | 'no_channel'
  | 'node_rejected'
  | 'not_found'
  | 'origin_forbidden'
  | 'position_invalid'
  | 'protocol_broken'
  | 'query_invalid'
  | 'reader_stalled'
  | 'request_not_json'
  | 'request_pipelined'
  | 'request_too_large'
  | 'sender_invalid'
  | 'sender_reserved'
  | 'server_shutdown'
  | 'server_unreachable'
  | 'store_failed'
  | 'token_rejected'
  | 'too_many_connections'
  | 'too_many_messages'
  | 'too_many_negotiations'
  | 'too_many_posts'
  | 'ttl_invalid'

/** What the world did wrong, or could not do. Its message says what to do; its code is for programs. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** HTTP status of the answer. 0: it answers no request. */
  get status(): number {
    return errorKinds[this.code].status
  }

  /** Whether the same call can succeed later, unchanged. */
  get retry(): boolean {
    return errorKinds[this.code].retry
  }
}

/** Whether a text from another process is a code of the catalogue. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorKinds, text)
}
