/** Encoded hub messages that are sent as one piece, shared by all connections that get the same. */
export class Chunk {
  /** One or more framed hub messages. */
  readonly payload: Buffer
  /** Where the WebSocket transport keeps the frame that it made of the payload, so that it is made once. */
  webSocketFrame: Buffer | undefined = undefined
  /** The same of the transport for server-sent events. */
  serverSentEvent: Buffer | undefined = undefined

  /** How many of its messages are of types 1 to 5, which a client that can resume counts (SIGNALR 2.11 R1). */
  readonly countedMessages: number

  constructor(payload: Buffer, countedMessages: number) {
    this.payload = payload
    this.countedMessages = countedMessages
  }
}

/** What a codec made, as bytes. */
export function toBytes(data: string | Uint8Array): Buffer {
  return typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}
