import { RECORD_SEPARATOR } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import type { ClientCodec, HubRecord } from './codec.ts'

/** The server is trusted with more than a client is; these keep what is broken from taking all memory. */
const LIMITS = { messageBytesMax: 32 * 1024 * 1024, depthMax: 128 }
const SEPARATOR = RECORD_SEPARATOR.charCodeAt(0)

/**
 * MessagePack in place of JSON: smaller messages where bodies are numbers or bytes, at the price of a larger page. Over
 * WebSockets and long polling.
 *
 * @example
 * import { messagePack } from '@serverchannel/client/messagepack'
 * const channel = connect('/msg', { codec: messagePack })
 */
export const messagePack: ClientCodec = {
  name: 'messagepack',
  isBinary: true,
  encode: (message) => new Uint8Array(messagePackCodec.encode(message)),
  createReader() {
    const reader = messagePackCodec.createReader(LIMITS)
    let handshake = ''
    let isOpen = false
    return function* read(data): Generator<HubRecord> {
      if (!(data instanceof ArrayBuffer)) throw new SyntaxError('text where binary data was agreed')
      let bytes = new Uint8Array(data)
      if (!isOpen) {
        const end = bytes.indexOf(SEPARATOR)
        handshake += new TextDecoder().decode(bytes.subarray(0, end < 0 ? undefined : end))
        if (end < 0) return
        isOpen = true
        yield JSON.parse(handshake) as HubRecord
        bytes = bytes.subarray(end + 1)
      }
      try {
        for (const message of reader.read(bytes)) yield { ...message }
      } catch (cause) {
        // As the session knows what is not the protocol.
        throw new SyntaxError(cause instanceof Error ? cause.message : String(cause), { cause })
      }
    }
  },
}
