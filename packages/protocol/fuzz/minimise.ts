import { reframe } from './mutation.ts'
import type { CodecName } from './oracle.ts'

/** Smaller pieces of a long input are not tried: it would take its length squared. */
const PIECES_MAX = 64

/** The input with every piece left out that it can do without, large pieces first. */
export function minimise(name: CodecName, input: Uint8Array, isAsGood: (candidate: Uint8Array) => boolean): Uint8Array {
  let best = input
  for (let size = Math.ceil(best.length / 2); size * PIECES_MAX >= best.length; size = Math.ceil(size / 2)) {
    for (let start = 0; start < best.length; ) {
      const without = new Uint8Array(Buffer.concat([best.subarray(0, start), best.subarray(start + size)]))
      const candidates = name === 'messagepack' ? [without, reframe(without)] : [without]
      const better = candidates.find((candidate) => candidate.length < best.length && isAsGood(candidate))
      if (better) best = better
      else start += size
    }
    if (size <= 1) break
  }
  return best
}
