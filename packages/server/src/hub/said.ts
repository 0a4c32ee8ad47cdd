import { Chunk } from '../channel/chunk.ts'

/**
 * What was said to one client in this turn of the loop, before it is written. Connections to which the very same was
 * said share what it is joined to.
 */
export class Said {
  readonly #chunks: Chunk[] = []
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  add(chunk: Chunk): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.payload.length
  }

  /** All of it in one piece. At least one chunk was added. */
  joined(): Chunk {
    const [first] = this.#chunks
    if (!first || this.#chunks.length === 1) return first ?? EMPTY
    const known = joinedFrom.get(first)
    if (known && isSame(known.parts, this.#chunks)) return known.whole
    const payloads = this.#chunks.map(({ payload }) => payload)
    const counted = this.#chunks.reduce((sum, { countedMessages }) => sum + countedMessages, 0)
    const whole = new Chunk(Buffer.concat(payloads, this.#bytes), counted)
    joinedFrom.set(first, { parts: this.#chunks, whole })
    return whole
  }
}

const EMPTY = new Chunk(Buffer.alloc(0), 0)

/** What was last joined behind a chunk: what is said to many is joined for the first of them only. */
const joinedFrom = new WeakMap<Chunk, { readonly parts: readonly Chunk[]; readonly whole: Chunk }>()

function isSame(some: readonly Chunk[], others: readonly Chunk[]): boolean {
  return some.length === others.length && some.every((chunk, index) => chunk === others[index])
}
