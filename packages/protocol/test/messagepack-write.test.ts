import { describe, expect, it } from 'vitest'
import type { HubMessage } from '../src/index.ts'
import { messagePackCodec } from '../src/messagepack.ts'
import { heldBytes } from './memory.ts'
import { bytesOf, framed, hexOf, readBytes } from './messagepack-bytes.ts'

const XYZ = 'a3 78 79 7a'
const METHOD = 'a6 6d 65 74 68 6f 64'

function written(message: HubMessage): string {
  return hexOf(messagePackCodec.encode(message))
}

/** The bytes of the one argument of a call. */
function writtenValue(value: unknown): string {
  const around = '96 01 80 c0 a1 78 91'.replaceAll(' ', '')
  const bytes = written({ type: 1, target: 'x', arguments: [value] })
  return bytes.slice(bytes.indexOf(around) + around.length, -2)
}

describe('writing hub messages as MessagePack', () => {
  // Source: HubProtocol.md, "MessagePack encoding", the examples there.
  it.each<[HubMessage, string]>([
    [{ type: 1, invocationId: 'xyz', target: 'method', arguments: [42] }, `96 01 80 ${XYZ} ${METHOD} 91 2a 90`],
    [{ type: 1, target: 'method', arguments: [42] }, `96 01 80 c0 ${METHOD} 91 2a 90`],
    [
      { type: 1, invocationId: 'xyz', target: 'method', arguments: [42], headers: { x: 'y', z: 'z' } },
      `96 01 82 a1 78 a1 79 a1 7a a1 7a ${XYZ} ${METHOD} 91 2a 90`,
    ],
    [{ type: 4, invocationId: 'xyz', target: 'method', arguments: [42] }, `96 04 80 ${XYZ} ${METHOD} 91 2a 90`],
    [{ type: 2, invocationId: 'xyz', item: 42 }, `94 02 80 ${XYZ} 2a`],
    [{ type: 3, invocationId: 'xyz', error: 'Error' }, `95 03 80 ${XYZ} 01 a5 45 72 72 6f 72`],
    [{ type: 3, invocationId: 'xyz' }, `94 03 80 ${XYZ} 02`],
    [{ type: 3, invocationId: 'xyz', result: 42 }, `95 03 80 ${XYZ} 03 2a`],
    [{ type: 3, invocationId: 'xyz', result: null }, `95 03 80 ${XYZ} 03 c0`],
    [{ type: 5, invocationId: 'xyz' }, `93 05 80 ${XYZ}`],
    [{ type: 6 }, '91 06'],
    [{ type: 7, error: 'xyz', allowReconnect: true }, `93 07 ${XYZ} c3`],
    [{ type: 7 }, '93 07 c0 c2'],
    [{ type: 8, sequenceId: 4 }, '92 08 04'],
    [{ type: 9, sequenceId: 5 }, '92 09 05'],
  ])('writes %j as the specification has it', (message, bytes) => {
    expect(written(message)).toBe(hexOf(framed(bytesOf(bytes))))
  })

  // Source: SIGNALR 2.10 C2, 3; as measured on a .NET server.
  it.each<[HubMessage, string]>([
    [{ type: 6 }, '02 91 06'],
    [{ type: 7 }, '04 93 07 c0 c2'],
    [{ type: 9, sequenceId: 5 }, '03 92 09 05'],
    [{ type: 8, sequenceId: 4 }, '03 92 08 04'],
    [{ type: 3, invocationId: '0', result: 'hi' }, '09 95 03 80 a1 30 03 a2 68 69'],
  ])('writes %j as a .NET server does', (message, bytes) => {
    expect(written(message)).toBe(bytes.replaceAll(' ', ''))
  })

  it('writes an empty invocationId as none, and the streams of a call', () => {
    expect(written({ type: 1, invocationId: '', target: 'x', arguments: [], streamIds: ['1'] })).toBe(
      '0a960180c0a1789091a131',
    )
  })

  it.each([
    [0, '00'],
    [-0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [0xffff, 'cdffff'],
    [0xffff_ffff, 'ceffffffff'],
    [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
    [-1, 'ff'],
    [-33, 'd0df'],
    [-0x8000_0000, 'd280000000'],
    [Number.MIN_SAFE_INTEGER, 'd3ffe0000000000001'],
    [2 ** 53, 'cb4340000000000000'],
    [0.1, 'cb3fb999999999999a'],
    [Number.POSITIVE_INFINITY, 'cb7ff0000000000000'],
  ])('writes the number %d in the smallest form that holds it', (number, bytes) => {
    expect(writtenValue(number)).toBe(bytes)
  })

  it('writes bytes as bytes, of whatever view they are', () => {
    expect(writtenValue(Uint8Array.of(1, 2, 3))).toBe('c403010203')
    expect(writtenValue(Buffer.from([1, 2, 3]))).toBe('c403010203')
    expect(writtenValue(new DataView(Uint8Array.of(0, 1, 2, 3).buffer, 1))).toBe('c403010203')
  })

  it.each([
    ['1970-01-01T00:00:01Z', 'd6ff00000001'],
    // Source: SIGNALR 6, `SendComplexObject`: .NET writes a DateTime so.
    ['2000-01-01T00:00:00Z', 'd6ff386d4380'],
    ['2000-01-01T00:00:00.001Z', 'd7ff003d0900386d4380'],
    ['0001-01-01T00:00:00Z', 'c70cff00000000fffffff1886e0900'],
    ['1969-12-31T23:59:59.999Z', 'c70cff3b8b87c0ffffffffffffffff'],
  ])('writes the moment %s as a timestamp', (moment, bytes) => {
    expect(writtenValue(new Date(moment))).toBe(bytes)
  })

  it('replaces halves of surrogate pairs, in short text and long, in keys and values, and touches nothing else', () => {
    const bytes = Uint8Array.of(0xed, 0xa0, 0x80)
    const value = { 'a\ud83d': 'é\ude00', long: `${'x'.repeat(100)}\ud83d`, pair: '😀', bytes, korean: '힣'.repeat(30) }
    const message = messagePackCodec.encode({ type: 1, target: 'x', arguments: [value, '__proto__'] })
    expect(readBytes(message)).toEqual([
      {
        type: 1,
        target: 'x',
        arguments: [
          { 'a\ufffd': 'é\ufffd', long: `${'x'.repeat(100)}\ufffd`, pair: '😀', bytes, korean: '힣'.repeat(30) },
          '__proto__',
        ],
      },
    ])
    expect(hexOf(message)).toContain('61efbfbd')
  })

  it.each([
    ['a bigint', 1n, TypeError, /bigint/],
    ['a function', () => 1, TypeError, /function/],
    ['a symbol', Symbol('s'), TypeError, /symbol/],
    ['an invalid Date', new Date(Number.NaN), RangeError, /Date/],
  ])('refuses %s, and goes on', (_, value, type, text) => {
    expect(() => written({ type: 2, invocationId: '1', item: { deep: [value] } })).toThrow(type)
    expect(() => written({ type: 2, invocationId: '1', item: { deep: [value] } })).toThrow(text)
    expect(written({ type: 6 })).toBe('029106')
  })

  it('refuses what contains itself', () => {
    const circle: unknown[] = []
    circle.push(circle)
    expect(() => written({ type: 2, invocationId: '1', item: circle })).toThrow(/deep/)
  })

  it('gives each message bytes of its own', () => {
    const first = messagePackCodec.encode({ type: 2, invocationId: '1', item: 'first' })
    const before = hexOf(first)
    messagePackCodec.encode({ type: 2, invocationId: '2', item: 'second' })
    expect(hexOf(first)).toBe(before)
    expect(first.byteLength).toBe(first.buffer.byteLength)
  })

  it('lets go of the room that a large message took', () => {
    const before = heldBytes()
    const write = (): number => messagePackCodec.encode({ type: 7, error: 'x'.repeat(8_000_000) }).length
    expect(write()).toBeGreaterThan(8_000_000)
    expect(heldBytes() - before).toBeLessThan(2_000_000)
  })

  it.each([1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])('puts the length of %d bytes before them', (length) => {
    const shell = 6
    const lengthOf = (text: number): number => framed(new Uint8Array(text)).length - text
    const text = 'x'.repeat(Math.max(length - shell, 0))
    const message = messagePackCodec.encode({ type: 7, error: text })
    const payload = message.subarray(message.findIndex((byte) => byte < 0x80) + 1)
    expect(hexOf(message.subarray(0, 5))).toBe(hexOf(framed(payload).subarray(0, 5)))
    expect(message).toHaveLength(payload.length + lengthOf(payload.length))
  })
})

describe('a message of the channel in MessagePack', () => {
  it('is the call that a .NET server writes for such an object', () => {
    const bytes = messagePackCodec.encodeServerMessage({ id: 'i', sender: 's', body: '{"id":42}', position: 'e:1' })
    expect(hexOf(bytes)).toBe(
      hexOf(
        framed(
          bytesOf(
            '96 01 80 c0 ad 53 65 72 76 65 72 4d 65 73 73 61 67 65 91' +
              '84 a2 49 64 a1 69 a6 48 65 61 64 65 72 81 a6 53 65 6e 64 65 72 a1 73' +
              'a4 42 6f 64 79 81 a2 69 64 2a a8 50 6f 73 69 74 69 6f 6e a3 65 3a 31 90',
          ),
        ),
      ),
    )
  })

  it('takes bodies as deep as any option allows', () => {
    const body = `${'['.repeat(500)}${']'.repeat(500)}`
    const bytes = messagePackCodec.encodeServerMessage({ id: 'i', sender: 's', body, position: 'e:1' })
    const [message] = readBytes(bytes, { messageBytesMax: 10_000, depthMax: 503 })
    expect(JSON.stringify(message)).toContain(body)
  })
})
