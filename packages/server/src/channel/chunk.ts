/** Encoded hub messages that are sent as one piece, shared by all connections that get the same. */
export class Chunk {
  /** One or more framed hub messages. */
  readonly payload: Buffer
  /** Where the WebSocket transport keeps the frame that it made of the payload, so that it is made once. */
  webSocketFrame: Buffer | undefined = undefined

  constructor(payload: Buffer) {
    this.payload = payload
  }
}
