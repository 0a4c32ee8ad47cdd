import { describe, expect, it } from 'vitest'
import { BinaryFraming } from '../src/binary-framing.ts'
import { heldBytes } from './memory.ts'
import { bytesOf, framed } from './messagepack-bytes.ts'
import { protocolErrorOf } from './reading.ts'

function cut(hex: string, bytesMax = 32_768): Uint8Array[] {
  return [...new BinaryFraming(bytesMax).read(bytesOf(hex))]
}

describe('the length before a message', () => {
  it.each([
    ['1 byte', '01', 1],
    ['2 bytes', '80 29', 0x1480],
    ['2 bytes where 1 would do', '81 00', 1],
    ['5 bytes where 1 would do', '81 80 80 80 00', 1],
  ])('is read from %s', (_, hex, length) => {
    const message = new Uint8Array(length).fill(7)
    expect([...new BinaryFraming(10_000).read(new Uint8Array([...bytesOf(hex), ...message]))]).toEqual([message])
  })

  it('may be 0, which makes a message of no bytes at once', () => {
    expect(cut('00')).toEqual([new Uint8Array(0)])
    expect(cut('00 80 00 01 05')).toEqual([new Uint8Array(0), new Uint8Array(0), Uint8Array.of(5)])
  })

  it.each([
    ['the limit', '81 80 02', 32_768],
    ['the least above a limit of 0', '01', 0],
    ['what a frame can have', 'ff ff ff ff 07', 32_768],
    ['what 32 bits can have', 'ff ff ff ff 0f', 32_768],
    ['what any number of bytes can have', '80 80 80 80 08', Number.POSITIVE_INFINITY],
    ['what five bytes can have', 'ff ff ff ff 7f', Number.POSITIVE_INFINITY],
  ])('is refused as too large above %s', (_, hex, bytesMax) => {
    expect(protocolErrorOf(() => cut(hex, bytesMax)).code).toBe('too-large')
  })

  it.each(['80 80 80 80 80', 'ff ff ff ff ff', '81 80 80 80 80 00'])('is refused as malformed: %s', (hex) => {
    expect(protocolErrorOf(() => cut(hex)).code).toBe('malformed')
  })

  it('may come in any number of pieces', () => {
    const framing = new BinaryFraming(10_000)
    const data = framed(new Uint8Array(5000).fill(9))
    const messages: Uint8Array[] = []
    for (const byte of data) messages.push(...framing.read(Uint8Array.of(byte)))
    expect(messages).toEqual([new Uint8Array(5000).fill(9)])
  })

  it('leaves the pieces to whom they belong', () => {
    const framing = new BinaryFraming(100)
    const piece = bytesOf('03 01 02')
    expect([...framing.read(piece)]).toEqual([])
    piece.fill(0xff)
    expect([...framing.read(Uint8Array.of(3))]).toEqual([Uint8Array.of(1, 2, 3)])
  })
})

describe('an unfinished message', () => {
  it('GHSA-4r3x-2rwr-6w65: costs nothing for the length that it declares', () => {
    const bytesMax = 1_048_576
    const header = framed(new Uint8Array(0), bytesMax)
    const before = heldBytes()
    const framings = Array.from({ length: 1000 }, () => new BinaryFraming(bytesMax))
    for (const framing of framings) for (const message of framing.read(new Uint8Array([...header, 1]))) message.fill(0)
    // Allocated as declared it would be 1 GB.
    expect(heldBytes() - before).toBeLessThan(2_000_000)
    expect(framings).toHaveLength(1000)
  })

  it('GHSA-4r3x-2rwr-6w65: is refused by its length before anything of it is kept', () => {
    const before = heldBytes()
    const framing = new BinaryFraming(32_768)
    const data = framed(new Uint8Array(8_000_000), 0x7fff_ffff)
    expect(protocolErrorOf(() => [...framing.read(data)]).code).toBe('too-large')
    expect(heldBytes() - before - data.byteLength).toBeLessThan(1_000_000)
  })

  it('takes at most twice the bytes that came of it, and lets go of the data that they came in', () => {
    const before = heldBytes()
    const framing = new BinaryFraming(1_048_576)
    const header = framed(new Uint8Array(0), 1_048_576)
    expect([...framing.read(header)]).toEqual([])
    for (let i = 0; i < 100; i++) {
      // Two bytes each from a large buffer.
      expect([...framing.read(new Uint8Array(100_000).subarray(50_000, 50_002))]).toEqual([])
    }
    expect(heldBytes() - before).toBeLessThan(500_000)
  })
})
