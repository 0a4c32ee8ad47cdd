import { type Codec, type HubMessage, MessageType } from '@serverchannel/protocol'
import { Chunk, toBytes } from '../channel/chunk.ts'

/** A call of client methods that is encoded once per codec, however many connections get it. */
export class SharedCall {
  readonly #message: HubMessage
  readonly #chunks = new Map<Codec, Chunk | undefined>()
  #failure: { readonly error: unknown } | undefined

  constructor(target: string, args: readonly unknown[]) {
    this.#message = { type: MessageType.Invocation, target, arguments: args }
  }

  /** Undefined where this codec can't say it: see {@link throwFailure}. */
  chunk(codec: Codec): Chunk | undefined {
    if (this.#chunks.has(codec)) return this.#chunks.get(codec)
    let chunk: Chunk | undefined
    try {
      chunk = new Chunk(toBytes(codec.encode(this.#message)), 1)
    } catch (error) {
      this.#failure ??= { error }
    }
    this.#chunks.set(codec, chunk)
    return chunk
  }

  /** Throws what made a codec fail, if any did: arguments that can't be encoded are the caller's bug. */
  throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }
}
