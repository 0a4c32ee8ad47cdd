import { describe, expect, it } from 'vitest'
import { scanMessagePack } from '../src/messagepack-scan.ts'
import { ProtocolError } from '../src/protocol-error.ts'
import { heldBytes } from './memory.ts'
import { bytesOf, framed, malformedMessagePack, readBytes } from './messagepack-bytes.ts'
import { createRandom, firstSeed } from './random.ts'
import { protocolErrorOf, READ_LIMITS } from './reading.ts'

const MESSAGE_BYTES = READ_LIMITS.messageBytesMax

/** As many bytes as a message may have, all of this pattern. */
function filled(hex: string): Uint8Array {
  const pattern = bytesOf(hex)
  return framed(Uint8Array.from({ length: MESSAGE_BYTES }, (_, at) => pattern[at % pattern.length] ?? 0))
}

/** The least time of some attempts, as others use the machine too. */
function leastMs(run: () => void): number {
  const times = Array.from({ length: 10 }, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
  return Math.min(...times)
}

describe('known attacks by MessagePack', () => {
  it.each([
    ['CVE-2026-45591: deep arrays end in an error, not in the end of the stack', '91', 'too-deep'],
    ['CVE-2026-45591: deep maps too', '81 a0', 'too-deep'],
    ['CVE-2026-45591: deep arrays in long forms too', 'dc 00 01', 'too-deep'],
    ['msgpackr PR 200: nested arrays that declare 65,535 items', 'dc ff ff', 'malformed'],
    ['the landmine: nested arrays that declare as many items as bytes remain', 'dc 7f 00', 'malformed'],
    ['nested arrays of 15 items, which is all that a byte can declare', '9f', 'too-deep'],
    ['nested arrays that declare 4,294,967,295 items', 'dd ff ff ff ff', 'malformed'],
    ['nested maps that declare 65,535 entries', 'de ff ff', 'malformed'],
    ['nested maps that declare 4,294,967,295 entries', 'df ff ff ff ff', 'malformed'],
    ['CVE-2026-21452, CVE-2026-48109: an extension that declares 4 GB', 'c9 ff ff ff ff ff', 'malformed'],
    ['bytes that declare 4 GB', 'c6 ff ff ff ff', 'malformed'],
    ['a text that declares 4 GB', 'db ff ff ff ff', 'malformed'],
    ['CVE-2026-32689: nothing but messages without bytes', '00', 'malformed'],
  ] as const)('%s', (_, pattern, code) => {
    const data = pattern === '00' ? new Uint8Array(MESSAGE_BYTES) : filled(pattern)
    const attack = (): void => {
      expect(protocolErrorOf(() => readBytes(data)).code).toBe(code)
    }
    const before = heldBytes()
    expect(leastMs(attack)).toBeLessThan(10)
    expect(heldBytes() - before).toBeLessThan(500_000)
  })

  it('never makes more places than there are bytes, though every header would be allowed alone', () => {
    // 60 arrays in each other, each declaring all that remains, and items enough for one of them.
    const headers = Array.from({ length: 60 }, () => [0xdc, 0x70, 0x00]).flat()
    const message = framed(new Uint8Array([...headers, ...new Uint8Array(0x7000)]))
    const before = process.memoryUsage().heapUsed
    expect(protocolErrorOf(() => readBytes(message)).code).toBe('malformed')
    // Decoded as far as it goes it would be 60 × 28,672 places of 8 bytes: 13 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000)
  })

  it('reads the message that is worst among those allowed, in time', () => {
    // [1, {}, nil, 'x', [[], [], …]]: as many values as bytes.
    const shell = bytesOf('95 01 80 c0 a1 78 dc 7f f0')
    const message = framed(new Uint8Array([...shell, ...new Uint8Array(0x7ff0).fill(0x90)]))
    expect(readBytes(message)).toHaveLength(1)
    expect(leastMs(() => readBytes(message))).toBeLessThan(50)
  })

  it('keeps nothing of what was read', () => {
    const keys = Array.from({ length: 2000 }, (_, i) => `k${i.toString(36)}`)
    const entries = keys.map((key) => [0xa0 + key.length, ...Buffer.from(key), 0x01]).flat()
    const message = framed(new Uint8Array([...bytesOf('94 02 80 a1 31'), 0xde, 0x07, 0xd0, ...entries]))
    expect(readBytes(message)).toHaveLength(1)
    const before = heldBytes()
    for (let i = 0; i < 200; i++) expect(readBytes(message)).toHaveLength(1)
    expect(heldBytes() - before).toBeLessThan(500_000)
  })
})

describe('the scan', () => {
  it('looks at each byte a few times at most, whatever the bytes are', () => {
    const seed = firstSeed()
    const random = createRandom(seed)
    for (let i = 0; i < 2000; i++) {
      const message = malformedMessagePack(random)
      const { bytes, reads } = counting(message)
      try {
        scanMessagePack(bytes, 64)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw new Error(`With SEED=${seed}, input ${i}`, { cause: error })
      }
      expect(reads(), `With SEED=${seed}, input ${i}`).toBeLessThanOrEqual(3 * message.length + 16)
    }
  })

  it('never goes deeper than it may', () => {
    const message = new Uint8Array(10_000).fill(0x91)
    const { bytes, reads } = counting(message)
    expect(protocolErrorOf(() => scanMessagePack(bytes, 64)).code).toBe('too-deep')
    expect(reads()).toBeLessThan(200)
  })
})

/** The same bytes, counted as they are looked at. */
function counting(target: Uint8Array): { readonly bytes: Uint8Array; reads(): number } {
  let count = 0
  const bytes = new Proxy(target, {
    get(_, property) {
      if (property === 'length') return target.length
      count++
      return Reflect.get(target, property, target)
    },
  })
  return { bytes, reads: () => count }
}
