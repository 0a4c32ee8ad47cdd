import { describe, expect, it } from 'vitest'
import { RECORD_SEPARATOR } from '../src/index.ts'
import { protocolErrorOf, readAll, readOne, record } from './reading.ts'

describe('reading hub messages as JSON', () => {
  it('reads every type of message with all that it may carry', () => {
    const headers = { trace: 'a' }
    const messages = [
      { type: 1, invocationId: '1', target: 'Echo', arguments: [1, null, 'x'], streamIds: ['2'], headers },
      { type: 2, invocationId: '2', headers, item: { a: 1 } },
      { type: 3, invocationId: '3', headers, result: [1] },
      { type: 3, invocationId: '4', error: 'no' },
      { type: 4, invocationId: '5', target: 'Stream', arguments: [] },
      { type: 5, invocationId: '5' },
      { type: 6 },
      { type: 7, error: 'gone', allowReconnect: true },
      { type: 8, sequenceId: 3 },
      { type: 9, sequenceId: 4 },
    ]
    expect(readAll(messages.map(record).join(''))).toEqual(messages)
  })

  it('takes the keys in any order', () => {
    expect(readOne({ arguments: ['hi'], invocationId: '0', target: 'Echo', type: 1 })).toEqual({
      type: 1,
      invocationId: '0',
      target: 'Echo',
      arguments: ['hi'],
    })
  })

  it.each([
    ['left out', { type: 1, target: 'Echo', arguments: [] }],
    ['null', { type: 1, target: 'Echo', arguments: [], invocationId: null }],
  ])('reads a call as non-blocking where its invocationId is %s', (_, message) => {
    expect(readOne(message)).toEqual({ type: 1, target: 'Echo', arguments: [] })
  })

  it('keeps an empty invocationId, which is non-blocking too', () => {
    expect(readOne({ type: 1, target: 'Echo', arguments: [], invocationId: '' })).toMatchObject({ invocationId: '' })
  })

  it.each([
    ['result null', { type: 3, invocationId: '1', result: null }],
    ['no result', { type: 3, invocationId: '1' }],
    ['an item that is null', { type: 2, invocationId: '1', item: null }],
  ])('tells apart what is null and what is not there: %s', (_, message) => {
    expect(readOne(message)).toStrictEqual(message)
  })

  it('takes a null error and null headers as none', () => {
    expect(readOne({ type: 3, invocationId: '1', error: null, headers: null, result: 1 })).toStrictEqual({
      type: 3,
      invocationId: '1',
      result: 1,
    })
  })

  it('passes over properties that it does not know', () => {
    expect(readOne({ type: 6, novelty: { deep: [1] } })).toEqual({ type: 6 })
  })

  it('passes over a type that it does not know and reads the next message', () => {
    expect(readAll(record({ type: 99, target: 'x' }) + record({ type: 6 }))).toEqual([{ type: 6 }])
  })

  it('reads non-ASCII text plain and escaped alike', () => {
    const plain = readAll(`{"type":3,"invocationId":"1","result":"日本 😀"}${RECORD_SEPARATOR}`)
    const escaped = readAll(`{"type":3,"invocationId":"1","result":"\\u65e5\\u672c \\ud83d\\ude00"}${RECORD_SEPARATOR}`)
    expect(plain).toEqual(escaped)
  })

  it.each([
    ['text that is not JSON', '{"type":6'],
    ['nothing between two separators', ''],
    ['an array', '[]'],
    ['a number', '6'],
    ['null', 'null'],
    ['a string', '"x"'],
  ])('refuses %s', (_, text) => {
    expect(protocolErrorOf(() => readAll(text + RECORD_SEPARATOR)).code).toBe('malformed')
  })

  it.each([
    ['no type', {}],
    ['a type that is a string', { type: '6' }],
    ['a type that is null', { type: null }],
    ['no target', { type: 1, arguments: [] }],
    ['a null target', { type: 1, target: null, arguments: [] }],
    ['a numeric target', { type: 1, target: 1, arguments: [] }],
    ['no arguments', { type: 1, target: 'x' }],
    ['null arguments', { type: 1, target: 'x', arguments: null }],
    ['arguments that are no list', { type: 1, target: 'x', arguments: { 0: 1 } }],
    ['a numeric invocationId', { type: 1, target: 'x', arguments: [], invocationId: 1 }],
    ['a stream call without invocationId', { type: 4, target: 'x', arguments: [] }],
    ['streamIds that are no strings', { type: 1, target: 'x', arguments: [], streamIds: [1] }],
    ['streamIds that are no list', { type: 1, target: 'x', arguments: [], streamIds: '1' }],
    ['a header that is no string', { type: 1, target: 'x', arguments: [], headers: { a: 1 } }],
    ['headers that are a list', { type: 1, target: 'x', arguments: [], headers: ['a'] }],
    ['a stream item without item', { type: 2, invocationId: '1' }],
    ['a stream item without invocationId', { type: 2, item: 1 }],
    ['a completion without invocationId', { type: 3, result: 1 }],
    ['a completion with result and error', { type: 3, invocationId: '1', result: 1, error: 'x' }],
    ['a completion with a null result and an error', { type: 3, invocationId: '1', result: null, error: 'x' }],
    ['an error that is no string', { type: 3, invocationId: '1', error: 1 }],
    ['a cancellation without invocationId', { type: 5 }],
    ['a close whose allowReconnect is a string', { type: 7, allowReconnect: 'true' }],
    ['an acknowledgement without sequenceId', { type: 8 }],
    ['a sequenceId that is a string', { type: 9, sequenceId: '1' }],
    ['a sequenceId that is no whole number', { type: 9, sequenceId: 1.5 }],
  ])('refuses %s', (_, message) => {
    expect(protocolErrorOf(() => readOne(message)).code).toBe('malformed')
  })

  it('takes names such as __proto__ for what they are', () => {
    const text = `{"type":1,"target":"__proto__","arguments":[{"__proto__":{"x":1}}],"headers":{"__proto__":"h"}}`
    const [message] = readAll(text + RECORD_SEPARATOR)
    expect(JSON.stringify(message)).toBe(
      '{"type":1,"target":"__proto__","arguments":[{"__proto__":{"x":1}}],"headers":{"__proto__":"h"}}',
    )
    expect(({} as { x?: number }).x).toBeUndefined()
  })
})
