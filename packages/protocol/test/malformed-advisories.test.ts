import { describe, expect, it } from 'vitest'
import { jsonCodec } from '../src/index.ts'
import { heldBytes } from './memory.ts'
import { bytesOf, framed, readBytes, readValue } from './messagepack-bytes.ts'
import { protocolErrorOf, READ_LIMITS, readAll } from './reading.ts'

/** [1, {}, nil, 'x', [value]] */
const inCall = (value: Uint8Array): Uint8Array => framed(new Uint8Array([...bytesOf('95 01 80 c0 a1 78 91'), ...value]))

/** The least CPU time of some attempts, as others use the machine too. */
function leastMs(run: () => void): number {
  const times = Array.from({ length: 5 }, () => {
    const start = process.cpuUsage()
    run()
    return process.cpuUsage(start).user / 1000
  })
  return Math.min(...times)
}

describe('advisories about MessagePack', () => {
  it.each([
    ['a pointer to what contains it', '82 a1 61 d6 70 00 00 00 01 a1 62 c0'],
    ['a structured clone', 'd6 69 00 00 00 01 91 d6 70 00 00 00 01'],
    ['a record’s definition', 'd4 72 40 91 a1 61 01'],
    ['a record’s use', '91 d4 72 40'],
    ['a set', 'd4 73 00 91 01'],
    ['an error', 'd4 65 00 93 a1 61 a1 62 c0'],
    ['a regular expression', 'd4 78 00 92 a1 61 a1 67'],
    ['a bundle of strings', 'd6 62 00 00 00 04 91 01'],
    ['a type that the application might know', 'c7 01 2a 00'],
  ])('CVE-2023-52079: no extension but timestamps is known, so none can lead the decoder in a circle: %s', (_, hex) => {
    expect(protocolErrorOf(() => readValue(hex)).code).toBe('malformed')
  })

  it('CVE-2026-38357: each form that declares a length is held against the bytes that there are', () => {
    const heldBefore = heldBytes()
    for (let head = 0; head < 256; head++) {
      for (const rest of [
        [],
        [0xff],
        [0xff, 0xff],
        [0x7f, 0xff, 0xff, 0xff],
        [0xff, 0xff, 0xff, 0xff, 0xff],
        [0, 0, 0x7f, 0xff],
      ]) {
        const input = inCall(Uint8Array.of(head, ...rest))
        try {
          expect(readBytes(input).length).toBe(1)
          // What is whole is a small value, of no more bytes than there are.
          expect(jsonCodec.encode(readBytes(input)[0] ?? { type: 6 }).length).toBeLessThan(200)
        } catch (error) {
          expect(error).toMatchObject({ name: 'ProtocolError', code: 'malformed' })
        }
      }
    }
    expect(heldBytes() - heldBefore).toBeLessThan(1_500_000)
  })

  it.each<[string, (n: number) => string]>([
    ['equal', () => 'k'],
    ['numbers far apart', (n) => String((n * 2_654_435_761) % 4_294_967_295)],
    ['numbers in a row', (n) => String(n)],
    ['unlike', (n) => `key-${n}`],
    ['names of what every object has', (n) => ['__proto__', 'constructor', 'toString', 'valueOf'][n % 4] ?? ''],
  ])('CVE-2026-48517: a map’s keys cost what their bytes do, in both codecs: %s', (_, name) => {
    const keys = Array.from({ length: 2400 }, (_key, n) => name(n))
    const entries = keys.map((key) => [0xa0 + key.length, ...Buffer.from(key), 0x01]).flat()
    const map = inCall(Uint8Array.of(0xde, keys.length >> 8, keys.length & 0xff, ...entries))
    const text = `{"type":1,"target":"x","arguments":[{${keys.map((key) => `"${key}":1`).join(',')}}]}\x1e`
    const limits = { ...READ_LIMITS, messageBytesMax: 65_536 }
    // Some 2 ms. Were each key compared with all others, they would be 3 million comparisons.
    expect(leastMs(() => expect(readBytes(map, limits)).toHaveLength(1))).toBeLessThan(40)
    expect(leastMs(() => expect(readAll(text, limits)).toHaveLength(1))).toBeLessThan(40)
  })
})
