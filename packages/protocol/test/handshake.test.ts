import { describe, expect, it } from 'vitest'
import {
  encodeHandshakeRequest,
  encodeHandshakeResponse,
  parseHandshakeRequest,
  parseHandshakeResponse,
  splitHandshake,
} from '../src/index.ts'
import { protocolErrorOf } from './reading.ts'

describe('the handshake request', () => {
  it('is written as every SignalR client writes it', () => {
    expect(encodeHandshakeRequest({ protocol: 'json', version: 1 })).toBe('{"protocol":"json","version":1}\x1e')
  })

  it('is read with any order, any version and properties beyond the two', () => {
    expect(parseHandshakeRequest('{"version":0,"extra":[{}],"protocol":"JSON"}')).toEqual({
      protocol: 'JSON',
      version: 0,
    })
  })

  it.each([
    ['not JSON', 'hello'],
    ['empty', ''],
    ['null', 'null'],
    ['a list', '["json",1]'],
    ['without protocol', '{"version":1}'],
    ['without version', '{"protocol":"json"}'],
    ['with a numeric protocol', '{"protocol":1,"version":1}'],
    ['with a version that is a string', '{"protocol":"json","version":"1"}'],
    ['with a version that is no whole number', '{"protocol":"json","version":1.5}'],
    ['a hub message', '{"type":1,"target":"x","arguments":[],"protocol":"json","version":1}'],
  ])('is refused where it is %s', (_, text) => {
    expect(protocolErrorOf(() => parseHandshakeRequest(text)).code).toBe('malformed')
  })

  it('is refused where it nests deep, before it is parsed', () => {
    const text = `{"protocol":"json","version":1,"x":${'['.repeat(2000)}${']'.repeat(2000)}}`
    expect(protocolErrorOf(() => parseHandshakeRequest(text)).code).toBe('too-deep')
  })
})

describe('the handshake response', () => {
  it('is written empty, or with its error', () => {
    expect(encodeHandshakeResponse({})).toBe('{}\x1e')
    expect(encodeHandshakeResponse({ error: 'no' })).toBe('{"error":"no"}\x1e')
  })

  it('is read back', () => {
    expect(parseHandshakeResponse('{}')).toEqual({})
    expect(parseHandshakeResponse('{"error":"no","minorVersion":0}')).toEqual({ error: 'no' })
    expect(parseHandshakeResponse('{"error":null}')).toEqual({})
  })

  it('is refused where it is a hub message', () => {
    expect(protocolErrorOf(() => parseHandshakeResponse('{"type":6}')).code).toBe('malformed')
  })
})

describe('splitting off the handshake', () => {
  it('waits until it is whole', () => {
    expect(splitHandshake('{"protocol":"json"')).toBeUndefined()
  })

  it('gives what follows, also where that is nothing or begins with a separator', () => {
    expect(splitHandshake('{}\x1e')).toEqual({ record: '{}', rest: '' })
    expect(splitHandshake('{}\x1e{"type":6}\x1e')).toEqual({ record: '{}', rest: '{"type":6}\x1e' })
    expect(splitHandshake('\x1e\x1e')).toEqual({ record: '', rest: '\x1e' })
  })
})
