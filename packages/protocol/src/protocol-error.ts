/** A peer's data is not the SignalR protocol, or passes a limit. The message says what was wrong, for the peer's author. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  /** What was broken, for those who answer by kind. */
  readonly code: 'malformed' | 'too-large' | 'too-deep'

  constructor(code: ProtocolError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
