import { describe, expect, it } from 'vitest'
import type { HubMessage } from '../src/index.ts'
import { messagePackCodec } from '../src/messagepack.ts'
import { bytesOf, framed, readBytes, readHex, readValue } from './messagepack-bytes.ts'
import { protocolErrorOf, READ_LIMITS } from './reading.ts'

describe('reading hub messages as MessagePack', () => {
  it.each<[string, string, HubMessage]>([
    ['a call of five elements', '95 01 80 a1 30 a1 78 90', { type: 1, invocationId: '0', target: 'x', arguments: [] }],
    [
      'a call of nine',
      '99 01 80 a1 30 a1 78 90 90 c0 c0 c0',
      { type: 1, invocationId: '0', target: 'x', arguments: [] },
    ],
    ['an id that is nil', '95 01 80 c0 a1 78 90', { type: 1, target: 'x', arguments: [] }],
    ['an id that is empty', '95 01 80 a0 a1 78 90', { type: 1, target: 'x', arguments: [] }],
    ['headers that are nil', '95 01 c0 c0 a1 78 90', { type: 1, target: 'x', arguments: [] }],
    ['streams that are nil', '96 01 80 c0 a1 78 90 c0', { type: 1, target: 'x', arguments: [] }],
    ['streams', '96 01 80 c0 a1 78 90 91 a1 37', { type: 1, target: 'x', arguments: [], streamIds: ['7'] }],
    ['a type in 64 bits', '91 d3 00 00 00 00 00 00 00 06', { type: 6 }],
    ['a type as a double', '91 cb 40 18 00 00 00 00 00 00', { type: 6 }],
    ['a ping of two elements', '92 06 c0', { type: 6 }],
    ['the close of a JavaScript client', '92 07 c0', { type: 7 }],
    ['a close with nil for the reconnect', '93 07 c0 c0', { type: 7 }],
    ['a void completion with more', '95 03 80 a1 31 02 c0', { type: 3, invocationId: '1' }],
    [
      'a completion whose kind is a double',
      '95 03 80 a1 31 ca 40 40 00 00 05',
      { type: 3, invocationId: '1', result: 5 },
    ],
    ['an Ack in 8 bits', '92 08 cc 24', { type: 8, sequenceId: 36 }],
    ['a Sequence in 32 bits', '92 09 ce 00 00 00 13', { type: 9, sequenceId: 19 }],
    ['long forms', 'dd 00 00 00 03 05 df 00 00 00 00 db 00 00 00 01 31', { type: 5, invocationId: '1' }],
  ])('takes %s', (_, bytes, message) => {
    expect(readHex(bytes)).toStrictEqual(message)
  })

  it.each([
    ['a type beyond those known', '92 63 a1 78'],
    ['a negative type', '91 ff'],
    ['a fraction for a type', '91 cb 3f f8 00 00 00 00 00 00'],
  ])('passes over %s', (_, bytes) => {
    expect(readHex(bytes)).toBeUndefined()
  })

  it.each([
    ['nothing at all', ''],
    ['nil', 'c0'],
    ['a number', '06'],
    ['a map', '81 00 06'],
    ['an empty array', '90'],
    ['a type that is a string', '91 a1 36'],
    ['a type that is nil', '91 c0'],
    ['bytes after the message', '91 06 c0'],
    ['a message that is cut short', '92 08'],
    ['a byte that is unused', '91 c1'],
    ['a call of four elements', '94 01 80 c0 a1 78'],
    ['a call with a number for an id', '95 01 80 01 a1 78 90'],
    ['a call without target', '95 01 80 c0 c0 90'],
    ['a call whose arguments are nil', '95 01 80 c0 a1 78 c0'],
    ['a call whose arguments are a map', '95 01 80 c0 a1 78 80'],
    ['streams that are numbers', '96 01 80 c0 a1 78 90 91 01'],
    ['streams that are a string', '96 01 80 c0 a1 78 90 a1 31'],
    ['headers that are an array', '95 01 90 c0 a1 78 90'],
    ['headers that are bytes', '95 01 c4 00 c0 a1 78 90'],
    ['headers that are a moment', '95 01 d6 ff 00 00 00 00 c0 a1 78 90'],
    ['headers that are a string', '95 01 a0 c0 a1 78 90'],
    ['a header that is a number', '95 01 81 a1 61 01 c0 a1 78 90'],
    ['a stream call without id', '95 04 80 c0 a1 78 90'],
    ['an item without value', '93 02 80 a1 31'],
    ['an item without id', '94 02 80 c0 01'],
    ['a completion without kind', '93 03 80 a1 31'],
    ['a completion of kind 0', '95 03 80 a1 31 00 c0'],
    ['a completion of kind 4', '95 03 80 a1 31 04 c0'],
    ['a completion with a string for its kind', '95 03 80 a1 31 a1 33 c0'],
    ['an error without text', '94 03 80 a1 31 01'],
    ['an error that is nil', '95 03 80 a1 31 01 c0'],
    ['an error that is a number', '95 03 80 a1 31 01 05'],
    ['a value that is not there', '94 03 80 a1 31 03'],
    ['a cancellation without id', '92 05 80'],
    ['a close of one element', '91 07'],
    ['a close whose error is a number', '92 07 05'],
    ['a close whose reconnect is a number', '93 07 c0 01'],
    ['an Ack without number', '91 08'],
    ['an Ack with a fraction', '92 08 cb 3f f8 00 00 00 00 00 00'],
    ['a Sequence beyond 53 bits', '92 09 cf 00 20 00 00 00 00 00 00'],
    ['a map with a number for a key', '95 01 80 c0 a1 78 91 81 01 01'],
    ['a map with an array for a key', '95 01 80 c0 a1 78 91 81 90 01'],
    ['an extension that no one knows', '95 01 80 c0 a1 78 91 d4 00 00'],
    ['an extension that has the bytes of a timestamp only', '95 01 80 c0 a1 78 91 d6 01 00 00 00 00'],
    ['a timestamp of 5 bytes', '95 01 80 c0 a1 78 91 c7 05 ff 00 00 00 00 00'],
    ['a timestamp beyond what a Date holds', '95 01 80 c0 a1 78 91 c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff'],
  ])('refuses %s', (_, bytes) => {
    expect(protocolErrorOf(() => readHex(bytes)).code).toBe('malformed')
  })

  it.each([
    ['7f', 127],
    ['e0', -32],
    ['cc ff', 255],
    ['cd ff ff', 65_535],
    ['ce ff ff ff ff', 4_294_967_295],
    ['cf 00 1f ff ff ff ff ff ff', Number.MAX_SAFE_INTEGER],
    ['d0 80', -128],
    ['d1 80 00', -32_768],
    ['d2 80 00 00 00', -2_147_483_648],
    ['d3 ff e0 00 00 00 00 00 01', Number.MIN_SAFE_INTEGER],
    ['ca 3f c0 00 00', 1.5],
    ['cb 3f b9 99 99 99 99 99 9a', 0.1],
    ['d3 00 00 00 00 00 00 00 01', 1],
  ])('reads the number %s', (bytes, number) => {
    expect(readValue(bytes)).toBe(number)
  })

  it.each([
    ['cf ff ff ff ff ff ff ff ff', '18446744073709551615'],
    ['cf 00 20 00 00 00 00 00 01', '9007199254740993'],
    ['cf 00 20 00 00 00 00 00 03', '9007199254740995'],
    ['d3 80 00 00 00 00 00 00 00', '-9223372036854775808'],
    ['d3 80 00 00 00 00 00 00 01', '-9223372036854775807'],
  ])('reads the integer %s, beyond 53 bits, as the double that JSON.parse gives for it', (bytes, digits) => {
    expect(readValue(bytes)).toBe(JSON.parse(digits))
  })

  it.each([
    ['d6 ff 38 6d 43 80', '2000-01-01T00:00:00.000Z'],
    ['d7 ff 00 3d 09 00 38 6d 43 80', '2000-01-01T00:00:00.001Z'],
    ['c7 0c ff 00 00 00 00 ff ff ff f1 88 6e 09 00', '0001-01-01T00:00:00.000Z'],
  ])('reads the timestamp %s as a Date', (bytes, moment) => {
    expect(readValue(bytes)).toStrictEqual(new Date(moment))
  })

  it('reads bytes as a Uint8Array of their own, whatever they come in', () => {
    const data = Buffer.from(framed(bytesOf('95 01 80 c0 a1 78 91 c4 02 01 02')))
    const [message] = readBytes(data)
    const value = message?.type === 1 ? message.arguments[0] : undefined
    expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype)
    data.fill(0)
    expect(value).toStrictEqual(Uint8Array.of(1, 2))
    expect((value as Uint8Array).buffer.byteLength).toBeLessThan(16)
  })

  it.each([
    ['a half as a JavaScript client writes it', 'a4 61 ed a0 bd', 'a\ufffd'],
    ['two halves that could be a pair', 'a6 ed a0 bd ed b8 80', '\ufffd\ufffd'],
    ['a half in a long text', `d9 cb ${'78'.repeat(200)} ed b8 80`, `${'x'.repeat(200)}\ufffd`],
    ['a pair, well encoded', 'a4 f0 9f 98 80', '😀'],
    ['a zero', 'a1 00', '\0'],
  ])('reads text with %s', (_, bytes, text) => {
    expect(readValue(bytes)).toBe(text)
  })

  it('leaves the data alone that it mends in a copy', () => {
    const data = framed(bytesOf('95 01 80 c0 a1 78 91 81 a9 5f 5f 70 72 6f 74 6f 5f 5f a3 ed a0 bd'))
    const before = data.slice()
    expect(JSON.stringify(readBytes(data))).toContain('{"__proto__":"\ufffd"}')
    expect(data).toEqual(before)
  })

  it.each([
    ['a byte that begins no character', 'a1 ff'],
    ['a byte that only continues one', 'a1 80'],
    ['a character that is cut short', 'a1 c3'],
    ['a character that goes on past its text', '92 a2 f0 9f a2 98 80'],
    ['an overlong character of two bytes', 'a2 c0 af'],
    ['an overlong one of three', 'a3 e0 80 af'],
    ['an overlong one of four', 'a4 f0 80 80 af'],
    ['a character beyond Unicode', 'a4 f4 90 80 80'],
    ['a wrong third byte', 'a3 e6 97 41'],
    ['a wrong byte in a key', '81 a1 ff c0'],
    ['a wrong byte in a long text', `d9 c9 ${'78'.repeat(200)} ff`],
  ])('refuses text with %s', (_, bytes) => {
    expect(protocolErrorOf(() => readValue(bytes)).code).toBe('malformed')
  })

  it('keeps keys apart that are much like __proto__', () => {
    // The three halves that stand in for the key while it is decoded, once as a peer might write them.
    const value = readValue('82 a9 5f 5f 70 72 6f 74 6f 5f 5f 01 a9 ed a0 80 ed a0 80 ed a0 80 02')
    expect(JSON.stringify(value)).toBe('{"__proto__":1,"\ufffd\ufffd\ufffd":2}')
    expect(JSON.stringify(readValue('81 a9 5f 5f 70 72 6f 74 6f 5f 2d 01'))).toBe('{"__proto_-":1}')
  })

  it('names itself', () => {
    expect([messagePackCodec.name, messagePackCodec.transferFormat]).toEqual(['messagepack', 'Binary'])
  })

  it('serves readers of unlike limits at the same time', () => {
    const data = messagePackCodec.encode({ type: 2, invocationId: '1', item: 'a'.repeat(300) })
    const small = messagePackCodec.createReader({ ...READ_LIMITS, messageBytesMax: 200 })
    const large = messagePackCodec.createReader(READ_LIMITS)
    expect([...large.read(data)]).toHaveLength(1)
    expect(protocolErrorOf(() => [...small.read(data)]).code).toBe('too-large')
    expect([...large.read(data)]).toHaveLength(1)
  })
})
