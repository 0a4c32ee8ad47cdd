import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonCodec, RECORD_SEPARATOR } from '../src/index.ts'
import { protocolErrorOf, READ_LIMITS, readAll, record } from './reading.ts'

describe('reading a stream of JSON text', () => {
  it('gives the same messages however the text is cut', () => {
    const results = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(results, fc.array(fc.nat(400), { maxLength: 8 }), (values, cuts) => {
        const messages = values.map((result) => ({ type: 3, invocationId: '1', result }))
        const text = messages.map(record).join('')
        const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length]
        const pieces = places.slice(1).map((end, index) => text.slice(places[index], end))
        expect(readAll(pieces)).toEqual(JSON.parse(JSON.stringify(messages)))
      }),
    )
  })

  it('keeps what is not whole and gives nothing for empty text', () => {
    const reader = jsonCodec.createReader(READ_LIMITS)
    expect([...reader.read('{"type"')]).toEqual([])
    expect([...reader.read('')]).toEqual([])
    expect([...reader.read(`:6}${RECORD_SEPARATOR}{"type":6`)]).toEqual([{ type: 6 }])
    expect([...reader.read(`}${RECORD_SEPARATOR}`)]).toEqual([{ type: 6 }])
  })

  it('reads only as far as it is asked to', () => {
    const messages = jsonCodec.createReader(READ_LIMITS).read(record({ type: 6 }) + record({ type: 'broken' }))
    expect(messages.next().value).toEqual({ type: 6 })
    expect(protocolErrorOf(() => messages.next()).code).toBe('malformed')
  })

  it('gives the messages before the one that is broken', () => {
    const seen: unknown[] = []
    const error = protocolErrorOf(() => {
      for (const message of jsonCodec.createReader(READ_LIMITS).read(`${record({ type: 6 })}no${RECORD_SEPARATOR}`)) {
        seen.push(message)
      }
    })
    expect(error.code).toBe('malformed')
    expect(seen).toEqual([{ type: 6 }])
  })
})

describe('the limit of one message', () => {
  const shell = Buffer.byteLength('{"type":3,"invocationId":"1","result":""}')

  it.each([
    ['one byte each', 'a', 1],
    ['two bytes each', 'é', 2],
    ['three bytes each', '日', 3],
    ['four bytes each, as surrogate pairs', '😀', 4],
  ])('is exact in bytes, with characters of %s', (_, character, bytes) => {
    const count = 500
    const text = record({ type: 3, invocationId: '1', result: character.repeat(count) })
    const messageBytesMax = shell + count * bytes
    expect(readAll(text, { ...READ_LIMITS, messageBytesMax })).toHaveLength(1)
    const tight = { ...READ_LIMITS, messageBytesMax: messageBytesMax - 1 }
    expect(protocolErrorOf(() => readAll(text, tight)).code).toBe('too-large')
  })

  it.each([
    ['one byte each', 'a', 1],
    ['three bytes each', '日', 3],
    ['surrogate pairs that every cut parts', '😀', 4],
  ])('is exact where the text comes unit by unit: %s', (_, character, bytes) => {
    const count = 60
    const pieces = record({ type: 3, invocationId: '1', result: character.repeat(count) }).split('')
    const messageBytesMax = shell + count * bytes
    expect(readAll(pieces, { ...READ_LIMITS, messageBytesMax })).toHaveLength(1)
    const tight = { ...READ_LIMITS, messageBytesMax: messageBytesMax - 1 }
    expect(protocolErrorOf(() => readAll(pieces, tight)).code).toBe('too-large')
  })

  it('counts a lone surrogate as the three bytes of the character that stands for it', () => {
    const text = `{"type":3,"invocationId":"1","result":"${'\ud83d'.repeat(10)}"}${RECORD_SEPARATOR}`
    expect(readAll(text, { ...READ_LIMITS, messageBytesMax: shell + 30 })).toHaveLength(1)
    const tight = { ...READ_LIMITS, messageBytesMax: shell + 29 }
    expect(protocolErrorOf(() => readAll(text, tight)).code).toBe('too-large')
  })

  it('holds for each message, not for all of them together', () => {
    const message = record({ type: 3, invocationId: '1', result: 'a'.repeat(200) })
    expect(readAll(message.repeat(1000), { ...READ_LIMITS, messageBytesMax: 256 })).toHaveLength(1000)
  })

  it('begins anew with each message of a stream in pieces', () => {
    const message = record({ type: 3, invocationId: '1', result: 'a'.repeat(200) })
    const pieces = message.repeat(3).match(/[^]{1,7}/g) ?? []
    expect(readAll(pieces, { ...READ_LIMITS, messageBytesMax: 256 })).toHaveLength(3)
  })

  it('refuses a message that never ends as soon as it passes the limit', () => {
    const reader = jsonCodec.createReader({ ...READ_LIMITS, messageBytesMax: 256 })
    expect([...reader.read('a'.repeat(256))]).toEqual([])
    expect(protocolErrorOf(() => [...reader.read('a')]).code).toBe('too-large')
  })

  it('takes time in the length of a message that comes byte by byte, not in its square', () => {
    const messageBytesMax = 32_768
    const start = process.cpuUsage()
    for (let round = 0; round < 10; round++) {
      const reader = jsonCodec.createReader({ ...READ_LIMITS, messageBytesMax })
      for (let i = 0; i < messageBytesMax; i++) Array.from(reader.read('a'))
    }
    // Counting the whole anew with each piece took 50 s; counting each piece once takes some 100 ms.
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(2000)
  })
})

describe('the depth of one message', () => {
  function nested(depth: number): string {
    // The message itself and its list of arguments are two levels.
    return `{"type":1,"target":"x","arguments":[${'['.repeat(depth - 2)}${']'.repeat(depth - 2)}]}${RECORD_SEPARATOR}`
  }

  it('is exact', () => {
    expect(readAll(nested(64))).toHaveLength(1)
    expect(protocolErrorOf(() => readAll(nested(65))).code).toBe('too-deep')
  })

  it('is checked before anything is parsed', () => {
    const text = `${'['.repeat(30_000)}${RECORD_SEPARATOR}`
    expect(protocolErrorOf(() => readAll(text)).code).toBe('too-deep')
  })

  it('does not count brackets within strings', () => {
    const result = `${'['.repeat(1000)}\\"${'{'.repeat(1000)}`
    expect(readAll(record({ type: 3, invocationId: '1', result }))).toHaveLength(1)
  })
})
