import { type Codec, encodeHandshakeRequest, ProtocolError, parseHandshakeRequest } from '@serverchannel/protocol'
import type { Transport } from '../channel/transport.ts'

const SEPARATOR = 0x1e
const VERSION_MAX = 2
const PROTOCOL_SHOWN_MAX = 64

/** What came of a client's first bytes: not enough yet, the codec that was chosen, or why there is no connection. */
export type HandshakeOutcome =
  | { readonly state: 'waiting' }
  | { readonly state: 'done'; readonly codec: Codec; readonly version: number; readonly rest: Buffer }
  | { readonly state: 'refused'; readonly answer: string }

/**
 * The codec of a handshake that is, word for word, what most clients open with: reading each anew would be a twentieth of
 * what a connect costs. Undefined where it has to be read.
 */
export function usualHandshake(
  data: string | Buffer,
  codecs: readonly Codec[],
  transport: Transport,
): Codec | undefined {
  if (typeof data !== 'string') return undefined
  const codec = codecs.find(({ name }) => data === USUAL.get(name))
  return codec && transport.transferFormats.includes(codec.transferFormat) ? codec : undefined
}

const USUAL: ReadonlyMap<string, string> = new Map(
  ['json', 'messagepack'].map((protocol) => [protocol, encodeHandshakeRequest({ protocol, version: 1 })]),
)

/** Takes the handshake, which is JSON text whatever follows it, and may come in pieces. Source: SIGNALR 2.7. */
export class Handshake {
  readonly #codecs: readonly Codec[]
  readonly #transport: Transport
  readonly #bytesMax: number
  readonly #detailedErrors: boolean
  #received: Buffer = Buffer.alloc(0)

  constructor(codecs: readonly Codec[], transport: Transport, bytesMax: number, detailedErrors: boolean) {
    this.#codecs = codecs
    this.#detailedErrors = detailedErrors
    this.#transport = transport
    this.#bytesMax = bytesMax
  }

  take(data: string | Buffer): HandshakeOutcome {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    const end = this.#received.indexOf(SEPARATOR)
    const length = end === -1 ? this.#received.length : end
    if (length > this.#bytesMax) return { state: 'refused', answer: 'Handshake was canceled.' }
    if (end === -1) return { state: 'waiting' }
    return this.#choose(this.#received.toString('utf8', 0, end), this.#received.subarray(end + 1))
  }

  /** Refusals are in the words of .NET's server (K2, S3). */
  #choose(record: string, rest: Buffer): HandshakeOutcome {
    let request: { readonly protocol: string; readonly version: number }
    try {
      request = parseHandshakeRequest(record)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const detail = this.#detailedErrors ? ` InvalidDataException: ${error.message}` : ''
      return { state: 'refused', answer: `An unexpected error occurred during connection handshake.${detail}` }
    }
    const { protocol, version } = request
    const codec = this.#codecs.find(({ name }) => name === protocol.toLowerCase())
    if (!codec) {
      const shown = protocol.slice(0, PROTOCOL_SHOWN_MAX)
      return { state: 'refused', answer: `The protocol '${shown}' is not supported.` }
    }
    if (!this.#transport.transferFormats.includes(codec.transferFormat)) {
      const answer = `Cannot use the '${codec.name}' protocol on the current transport. The transport does not support '${codec.transferFormat}' transfer format.`
      return { state: 'refused', answer }
    }
    if (version > VERSION_MAX || version < 0) {
      const answer = `The server does not support version ${version} of the '${codec.name}' protocol.`
      return { state: 'refused', answer }
    }
    return { state: 'done', codec, version, rest }
  }
}
