/** What came in one go: a WebSocket message, an event's data, a poll's body. */
export interface Piece {
  readonly data: Buffer
  readonly isBinary: boolean
}

/** A transport at the client's end: bytes out, pieces in. */
export interface Wire {
  send(data: string | Buffer): Promise<void>
  /** Undefined where it has ended. */
  next(): Promise<Piece | undefined>
}
