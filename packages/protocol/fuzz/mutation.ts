import type { Random } from '../test/random.ts'
import { dictionary } from './dictionary.ts'
import type { CodecName } from './oracle.ts'

const INPUT_BYTES_MAX = 3000
const PIECE_BYTES_MAX = 32
const CHANGES_MAX = 5

/** Another input made of one of the corpus, by a few changes. */
export function mutate(name: CodecName, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let input = pick(corpus, random)
  // Mostly one: each of several is one more chance to leave the grammar for good.
  for (let changes = 1; changes <= CHANGES_MAX && (changes === 1 || random.chance(0.4)); changes++) {
    input = random.pick(CHANGES)({ input, name, corpus, random })
  }
  const clipped = input.subarray(0, INPUT_BYTES_MAX)
  return name === 'messagepack' && random.chance(0.6) ? reframe(clipped) : clipped
}

/** With the length of what follows in place of the one that stands there, which the changes made wrong. */
export function reframe(input: Uint8Array): Uint8Array {
  const last = input.findIndex((byte) => byte < 0x80)
  const message = input.subarray(last + 1)
  const length: number[] = []
  for (let rest = message.length; ; rest = Math.floor(rest / 0x80)) {
    if (rest < 0x80) return concat(Uint8Array.from([...length, rest]), message)
    length.push((rest % 0x80) + 0x80)
  }
}

interface Change {
  readonly input: Uint8Array
  readonly name: CodecName
  readonly corpus: readonly Uint8Array[]
  readonly random: Random
}

const CHANGES: readonly ((change: Change) => Uint8Array)[] = [
  // A bit turned.
  ({ input, random }) => withByte(input, random, (byte) => byte ^ (1 << random.below(8))),
  // A byte a little more or less.
  ({ input, random }) => withByte(input, random, (byte) => byte + random.below(9) - 4),
  ({ input, random }) => withByte(input, random, () => random.below(256)),
  // A piece left out.
  ({ input, random }) => {
    const { start, end } = piece(input, random)
    return concat(input.subarray(0, start), input.subarray(end))
  },
  // A piece again, once or often.
  ({ input, random }) => {
    const { start, end } = piece(input, random)
    const times = random.chance(0.8) ? 2 : 2 + random.below(40)
    const pieces = Array.from({ length: times }, () => input.subarray(start, end))
    return concat(input.subarray(0, start), ...pieces, input.subarray(end))
  },
  insertWord,
  insertWord,
  // A word over what is there.
  ({ input, name, random }) => {
    const word = random.pick(dictionary[name])
    const at = random.below(input.length + 1)
    return concat(input.subarray(0, at), word, input.subarray(at + word.length))
  },
  // A word in place of a whole number, name or text without blanks.
  ({ input, name, random }) => {
    let start = random.below(input.length)
    let end = start
    while (start > 0 && isWordByte(input[start - 1] ?? 0)) start--
    while (end < input.length && isWordByte(input[end] ?? 0)) end++
    return concat(input.subarray(0, start), random.pick(dictionary[name]), input.subarray(end))
  },
  // The beginning of this one and the end of another.
  ({ input, corpus, random }) => {
    const other = pick(corpus, random)
    return concat(input.subarray(0, random.below(input.length + 1)), other.subarray(random.below(other.length + 1)))
  },
]

/** Letters, digits, and what stands in numbers. */
function isWordByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) || byte === 0x2d || byte === 0x2e
  )
}

function insertWord({ input, name, random }: Change): Uint8Array {
  const at = random.below(input.length + 1)
  return concat(input.subarray(0, at), random.pick(dictionary[name]), input.subarray(at))
}

/** Half of the time one of the newest, which lead to where nobody has been. */
function pick(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  if (corpus.length === 0) return new Uint8Array(0)
  const newest = Math.max(1, corpus.length >> 3)
  return random.chance(0.5) ? random.pick(corpus) : random.pick(corpus.slice(-newest))
}

function withByte(input: Uint8Array, random: Random, change: (byte: number) => number): Uint8Array {
  const changed = input.slice()
  const at = random.below(input.length)
  if (input.length > 0) changed[at] = change(changed[at] ?? 0)
  return changed
}

function piece(input: Uint8Array, random: Random): { readonly start: number; readonly end: number } {
  const start = random.below(input.length + 1)
  return { start, end: Math.min(input.length, start + 1 + random.below(PIECE_BYTES_MAX)) }
}

function concat(...pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces))
}
