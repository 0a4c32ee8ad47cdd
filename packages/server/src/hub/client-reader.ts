import { StringDecoder } from 'node:string_decoder'
import type { Codec, HubMessage, ReadLimits } from '@serverchannel/protocol'

/**
 * Reads what a client sends, in either kind of frame: a text codec's bytes may come in binary frames, which may cut
 * characters, and a binary codec's in text frames (SIGNALR 2.4 W2).
 */
export class ClientReader {
  readonly #read: (data: string | Buffer) => Generator<HubMessage, void, undefined>

  constructor(codec: Codec, limits: ReadLimits) {
    // A codec's format says which data its reader takes.
    if (codec.transferFormat === 'Text') {
      const reader = (codec as Codec<string>).createReader(limits)
      let decoder: StringDecoder | undefined
      this.#read = (data) => {
        if (typeof data === 'string') return reader.read(data)
        decoder ??= new StringDecoder('utf8')
        return reader.read(decoder.write(data))
      }
    } else {
      const reader = (codec as Codec<Uint8Array>).createReader(limits)
      this.#read = (data) => reader.read(typeof data === 'string' ? Buffer.from(data) : data)
    }
  }

  /** @throws ProtocolError, as the messages are asked for */
  read(data: string | Buffer): Generator<HubMessage, void, undefined> {
    return this.#read(data)
  }
}
