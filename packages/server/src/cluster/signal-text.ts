import { SIGNAL_BYTES_MAX } from '../channel/store.ts'
import type { Signal } from './signal.ts'

/** Bytes of one part before base64, which makes four of three, and what stands around it. */
const PART_BYTES = Math.floor(((SIGNAL_BYTES_MAX - 200) * 3) / 4)
/** A signal of more is none: whoever keeps its parts must be able to keep them all. */
export const SIGNAL_WHOLE_BYTES_MAX = 1_048_576
const PARTS_MAX = Math.ceil(SIGNAL_WHOLE_BYTES_MAX / PART_BYTES)

interface Part {
  readonly part: number
  readonly of: number
  readonly data: string
}

/** A signal with the node that says it, as the texts that stores carry. @throws RangeError where it is too large */
export function toTexts(from: string, signal: Signal): readonly string[] {
  const text = JSON.stringify({ from, signal })
  // Three bytes at most for each UTF-16 unit.
  if (text.length * 3 <= SIGNAL_BYTES_MAX || Buffer.byteLength(text) <= SIGNAL_BYTES_MAX) return [text]
  const bytes = Buffer.from(JSON.stringify(signal))
  const of = Math.ceil(bytes.length / PART_BYTES)
  if (of > PARTS_MAX) {
    throw new RangeError(
      `It has ${bytes.length} bytes, more than the ${SIGNAL_WHOLE_BYTES_MAX} that nodes tell each other. Say where the rest is found.`,
    )
  }
  return Array.from({ length: of }, (_, part) => {
    const data = bytes.toString('base64', part * PART_BYTES, (part + 1) * PART_BYTES)
    return JSON.stringify({ from, part, of, data })
  })
}

/** Makes signals of texts, the parts of large ones put together. What no node of ours would say is passed over. */
export class SignalReader {
  /** Of one signal of each node at most: a node's signals come in order. */
  readonly #parts = new Map<string, string[]>()

  read(text: string): { readonly from: string; readonly signal: Signal } | undefined {
    try {
      const said = JSON.parse(text) as { from?: unknown; signal?: Signal } & Partial<Part>
      if (typeof said.from !== 'string') return undefined
      if (said.signal) return { from: said.from, signal: said.signal }
      const whole = this.#join(said.from, said as Part)
      return whole === undefined ? undefined : { from: said.from, signal: JSON.parse(whole) as Signal }
    } catch {
      return undefined
    }
  }

  /** The node is gone: what it had begun to say is never ended. */
  forget(node: string): void {
    this.#parts.delete(node)
  }

  #join(from: string, { part, of, data }: Part): string | undefined {
    if (part === 0) this.#parts.set(from, [])
    const parts = this.#parts.get(from)
    // One that was missed, or more than there can be: the signal is lost, as any signal can be.
    if (!parts || parts.length !== part || of > PARTS_MAX || typeof data !== 'string') {
      this.#parts.delete(from)
      return undefined
    }
    parts.push(data)
    if (parts.length < of) return undefined
    this.#parts.delete(from)
    return Buffer.concat(parts.map((encoded) => Buffer.from(encoded, 'base64'))).toString()
  }
}
