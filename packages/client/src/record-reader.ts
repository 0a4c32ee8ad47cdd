import { RECORD_SEPARATOR } from '@serverchannel/protocol'

/** One message of the server as JSON, of which nothing but that it is an object is known. */
export type HubRecord = Readonly<Record<string, unknown>>

/** Far above the largest body that a server takes: what passes it is no message but a broken server. */
const RECORD_CHARS_MAX = 32 * 1024 * 1024

/**
 * Cuts what the server sends into records. The server is trusted with more than a client is, so this does without the
 * budgets of the protocol's own reader, and at a fraction of its size.
 */
export class RecordReader {
  #partial = '';

  /** The records that are whole with this text. @throws SyntaxError where one is no JSON object, or does not end. */
  *read(text: string): Generator<HubRecord, void, undefined> {
    const records = (this.#partial + text).split(RECORD_SEPARATOR)
    this.#partial = records.pop() ?? ''
    if (this.#partial.length > RECORD_CHARS_MAX) throw new SyntaxError('A record does not end.')
    for (const record of records) {
      const value: unknown = JSON.parse(record)
      if (typeof value !== 'object' || value === null) throw new SyntaxError('A record is no JSON object.')
      yield value as HubRecord
    }
  }
}
