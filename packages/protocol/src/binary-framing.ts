import { ProtocolError } from './protocol-error.ts'

const LENGTH_BYTES_MAX = 5
/** Source: HubProtocol.md, "Binary encoding": messages of 2 GB and more are not supported. */
const MESSAGE_BYTES_MAX = 0x7fff_ffff
const KEPT_BYTES_FIRST = 64

/**
 * The message with its length before it, in seven bits a byte, the lowest first. Source: SIGNALR 3; HubProtocol.md,
 * "Binary encoding".
 */
export function frameBinary(message: Uint8Array): Uint8Array {
  let lengthBytes = 1
  for (let rest = message.length >>> 7; rest > 0; rest >>>= 7) lengthBytes++
  const framed = new Uint8Array(lengthBytes + message.length)
  let rest = message.length
  for (let i = 0; i < lengthBytes - 1; i++) {
    framed[i] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  framed[lengthBytes - 1] = rest
  framed.set(message, lengthBytes)
  return framed
}

/**
 * Cuts a stream of bytes at the messages' lengths. Keeps at most one unfinished message, of at most the given size, in
 * at most twice the bytes that came of it: a declared length alone costs nothing. Each byte is copied a constant number
 * of times, in however many pieces a message comes.
 */
export class BinaryFraming {
  readonly #messageBytesMax: number
  /** What the message's length is by the bytes of the length so far. */
  #length = 0
  #lengthBytes = 0
  #isLengthWhole = false
  /** The message's bytes so far, with room for more. */
  #partial = NOTHING
  #partialBytes = 0

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = Math.min(messageBytesMax, MESSAGE_BYTES_MAX)
  }

  /**
   * The messages that are whole with this data, without their lengths. They may be views of the data.
   *
   * @throws ProtocolError `too-large` as soon as a length says so, `malformed` where a length does not end
   */
  *read(data: Uint8Array): Generator<Uint8Array, void, undefined> {
    let position = 0
    while (position < data.length) {
      if (!this.#isLengthWhole) {
        this.#takeLength(data[position++] ?? 0)
        // A message without any bytes is whole at once, though nothing follows.
        if (!this.#isLengthWhole || this.#length > 0) continue
      }
      const missing = this.#length - this.#partialBytes
      const piece = data.subarray(position, position + missing)
      position += piece.length
      if (piece.length < missing) this.#keep(piece)
      else yield this.#whole(piece)
    }
  }

  #takeLength(byte: number): void {
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#lengthBytes)
    this.#lengthBytes++
    if (byte >= 0x80) {
      if (this.#lengthBytes < LENGTH_BYTES_MAX) return
      throw new ProtocolError('malformed', `A message's length has more than ${LENGTH_BYTES_MAX} bytes.`)
    }
    const max = this.#messageBytesMax
    if (this.#length > max) throw new ProtocolError('too-large', `The maximum message size of ${max}B was exceeded.`)
    this.#isLengthWhole = true
  }

  /** The message that ends with this piece. */
  #whole(piece: Uint8Array): Uint8Array {
    let message = piece
    if (this.#partialBytes > 0) {
      this.#keep(piece)
      message = this.#partial
    }
    this.#length = 0
    this.#lengthBytes = 0
    this.#isLengthWhole = false
    this.#partial = NOTHING
    this.#partialBytes = 0
    return message
  }

  #keep(piece: Uint8Array): void {
    const bytes = this.#partialBytes + piece.length
    if (bytes > this.#partial.length) {
      // Never longer than the message, so that it fills its place exactly when it is whole.
      const grown = new Uint8Array(Math.min(this.#length, Math.max(bytes * 2, KEPT_BYTES_FIRST)))
      grown.set(this.#partial.subarray(0, this.#partialBytes))
      this.#partial = grown
    }
    this.#partial.set(piece, this.#partialBytes)
    this.#partialBytes = bytes
  }
}

const NOTHING: Uint8Array = new Uint8Array(0)
