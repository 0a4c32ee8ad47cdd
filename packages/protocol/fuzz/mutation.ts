import type { Random } from '../test/random.ts'
import type { CodecName } from './oracle.ts'

const INPUT_BYTES_MAX = 3000
const PIECE_BYTES_MAX = 32
const CHANGES_MAX = 5

/** Another input made of one of the corpus, by a few changes. */
export function mutate(name: CodecName, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let input = pick(corpus, random)
  for (let changes = 1 + random.below(CHANGES_MAX); changes > 0; changes--) {
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
    const word = random.pick(WORDS[name])
    const at = random.below(input.length + 1)
    return concat(input.subarray(0, at), word, input.subarray(at + word.length))
  },
  // The beginning of this one and the end of another.
  ({ input, corpus, random }) => {
    const other = pick(corpus, random)
    return concat(input.subarray(0, random.below(input.length + 1)), other.subarray(random.below(other.length + 1)))
  },
]

function insertWord({ input, name, random }: Change): Uint8Array {
  const at = random.below(input.length + 1)
  return concat(input.subarray(0, at), random.pick(WORDS[name]), input.subarray(at))
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

const text = (words: readonly string[]): Uint8Array[] => words.map((word) => new Uint8Array(Buffer.from(word)))
const hex = (words: readonly string[]): Uint8Array[] => words.map((word) => new Uint8Array(Buffer.from(word, 'hex')))

/** What the grammars are made of: chance alone would take long to come upon it. */
const WORDS: Readonly<Record<CodecName, readonly Uint8Array[]>> = {
  json: text([
    ...['{"type":1,"target":"x","arguments":[1]}', '{"type":3,"invocationId":"1","result":null}', '{"type":6}'],
    ...['{"type":2,"invocationId":"1","item":1}', '{"type":7,"error":"x","allowReconnect":true}'],
    ...['{"type":9,"sequenceId":1}', ',"streamIds":["2"]', ',"headers":{"a":"b"}', ',"error":"x"'],
    ...[
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      ':',
      ',',
      '\x1e',
      '\x00',
      'null',
      'true',
      '-0',
      '1e999',
      '1e20',
      '9007199254740993',
    ],
    ...[
      '"type":',
      '"__proto__":',
      '"\\ud800"',
      '\\udc00',
      '\\u001e',
      '😀',
      'é',
      '\ufeff',
      '\u2028',
      ' ',
      '0.1',
      '{}',
      '[]',
    ],
  ]),
  messagepack: hex([
    ...['9501 80c0a17890', '960180a130a44563686f91a2686990', '940280a131c0', '950380a13103a178', '940380a13102'],
    ...['950380a13101a165', '930580a131', '9106', '9307c0c3', '920804', '81a161a162', '91a132'].map((word) =>
      word.replace(' ', ''),
    ),
    ...[
      '80',
      '81',
      '8f',
      '90',
      '91',
      '9f',
      'a0',
      'a1',
      'bf',
      'c0',
      'c1',
      'c2',
      'c3',
      'e0',
      'ff',
      '7f',
      '00',
      '01',
      '02',
      '03',
    ],
    ...['ca7fc00000', 'cb8000000000000000', 'cb7ff0000000000000', 'cc80', 'cd0100', 'ce00010000', 'cf0020000000000001'],
    ...['cfffffffffffffffff', 'd080', 'd18000', 'd280000000', 'd38000000000000000'],
    ...[
      'c404',
      'c50002',
      'c6ffffffff',
      'c6000000',
      'd9ff',
      'da000161',
      'db00000001',
      'dcffff',
      'dc0001',
      'dd00000001',
      'deffff',
    ],
    ...[
      'de0001',
      'df00000001',
      'df80000000',
      'c70cff',
      'c80004ff',
      'c9ffffffffff',
      'd6ff',
      'd7ff',
      'd400',
      'd801',
      'c70cff00000000',
    ],
    ...[
      'd6ff00000001',
      'd7ffffffffffffffffff',
      'a95f5f70726f746f5f5f',
      '81a95f5f70726f746f5f5f80',
      'a3eda0bd',
      'a3edb080',
      'a2c3a9',
    ],
    ...['a4f09f9880', 'a3e28282', 'a1ff', 'ffffffff07', '8001'],
  ]),
}
