import { expect, it } from 'vitest'
import { jsonCodec, ProtocolError, parseHandshakeRequest, parseHandshakeResponse, parsePosition } from '../src/index.ts'
import { createRandom, firstSeed, type Random } from './random.ts'
import { READ_LIMITS } from './reading.ts'

const INPUTS = 10_000

const WORDS = [
  '{"type":1,"target":"x","arguments":[1]}',
  '{"type":3,"invocationId":"1","result":null}',
  '{"protocol":"json","version":1}',
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
  '-0',
  '1e999',
  '"type"',
  '"__proto__"',
  '"headers":',
  '"invocationId":',
  '"target"',
  '"arguments":',
  '"\\ud800"',
  '\ud83d',
  '\ude00',
  'é',
  ' ',
  '\n',
  '7',
  '1.5',
]

/** Text that begins as the protocol and goes wrong, or was never like it. */
function malformed(random: Random): string {
  let text = ''
  const count = 1 + random.below(12)
  for (let i = 0; i < count; i++) {
    text += random.chance(0.9) ? random.pick(WORDS) : String.fromCharCode(random.below(0x1_0000))
  }
  const at = random.below(text.length + 1)
  if (random.chance(0.3)) text = text.slice(0, at) + random.pick(WORDS).repeat(random.below(200)) + text.slice(at)
  return random.chance(0.8) ? `${text}\x1e` : text
}

it(`throws nothing but ProtocolError on ${INPUTS} malformed inputs`, () => {
  const seed = firstSeed()
  const random = createRandom(seed)
  const counts = { read: 0, refused: 0 }
  for (let i = 0; i < INPUTS; i++) {
    const input = malformed(random)
    const cut = random.below(input.length + 1)
    for (const attempt of [
      () => {
        const reader = jsonCodec.createReader({ ...READ_LIMITS, messageBytesMax: 1024 })
        return [...reader.read(input.slice(0, cut)), ...reader.read(input.slice(cut))]
      },
      () => parseHandshakeRequest(input),
      () => parseHandshakeResponse(input),
      () => parsePosition(input),
    ]) {
      try {
        attempt()
        counts.read++
      } catch (error) {
        if (error instanceof ProtocolError) counts.refused++
        else throw new Error(`With SEED=${seed}, input ${i}: ${JSON.stringify(input)}`, { cause: error })
      }
    }
  }
  // Both happen, or the inputs test nothing.
  expect(counts.read).toBeGreaterThan(INPUTS / 10)
  expect(counts.refused).toBeGreaterThan(INPUTS)
})
