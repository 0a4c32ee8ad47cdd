import { type HubMessage, RECORD_SEPARATOR } from '@serverchannel/protocol'

/** One message of the server, of which nothing but that it is an object is known. */
export type HubRecord = Readonly<Record<string, unknown>>

/** How hub messages are written. JSON is the one that is always there; `messagepack.ts` has another. */
export interface ClientCodec {
  /** As the handshake names it. */
  readonly name: string
  readonly isBinary: boolean
  encode(message: HubMessage): string | Uint8Array<ArrayBuffer>
  /**
   * Takes what a connection sends as it comes, and gives the records that are whole with it, the answer to the handshake
   * first. What it gives throws a SyntaxError where that is not the protocol.
   */
  createReader(): (data: unknown) => Iterable<HubRecord>
}

/** Far above the largest body that a server takes: what passes it is no message but a broken server. */
const RECORD_CHARS_MAX = 32 * 1024 * 1024

/**
 * JSON. The server is trusted with more than a client is, so this does without the budgets of the protocol's own codec,
 * and at a fraction of its size.
 */
export const json: ClientCodec = {
  name: 'json',
  isBinary: false,
  encode: (message) => JSON.stringify(message) + RECORD_SEPARATOR,
  createReader() {
    let partial = ''
    return function* read(data) {
      if (typeof data !== 'string') throw new SyntaxError('binary data')
      const records = (partial + data).split(RECORD_SEPARATOR)
      partial = records.pop() ?? ''
      if (partial.length > RECORD_CHARS_MAX) throw new SyntaxError('a record does not end')
      for (const record of records) {
        const value: unknown = JSON.parse(record)
        if (typeof value !== 'object' || value === null) throw new SyntaxError('a record is no object')
        yield value as HubRecord
      }
    }
  },
}
