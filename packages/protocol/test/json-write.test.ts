import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Envelope, jsonCodec, type Message, RECORD_SEPARATOR } from '../src/index.ts'
import { readOne } from './reading.ts'

describe('writing hub messages as JSON', () => {
  it.each([
    [{ type: 1, target: 'x', arguments: [1, 'é'] } as const, '{"type":1,"target":"x","arguments":[1,"é"]}'],
    [{ type: 3, invocationId: '1', result: null } as const, '{"type":3,"invocationId":"1","result":null}'],
    [{ type: 3, invocationId: '1', error: 'no' } as const, '{"type":3,"invocationId":"1","error":"no"}'],
    [{ type: 6 } as const, '{"type":6}'],
    [{ type: 7 } as const, '{"type":7}'],
    [{ type: 7, error: 'gone', allowReconnect: true } as const, '{"type":7,"error":"gone","allowReconnect":true}'],
  ])('writes %j with its type first and the separator last', (message, text) => {
    expect(jsonCodec.encode(message)).toBe(text + RECORD_SEPARATOR)
  })

  it('writes what it reads', () => {
    const message = {
      type: 1,
      invocationId: '1',
      target: 'Echo',
      arguments: [{ a: [null] }],
      headers: { h: '1' },
    } as const
    expect(readOne(JSON.parse(jsonCodec.encode(message).slice(0, -1)))).toEqual(message)
  })

  it('never lets the separator into a record', () => {
    const text = jsonCodec.encode({ type: 1, target: RECORD_SEPARATOR, arguments: [RECORD_SEPARATOR] })
    expect(text.indexOf(RECORD_SEPARATOR)).toBe(text.length - 1)
  })

  it('names itself', () => {
    expect([jsonCodec.name, jsonCodec.transferFormat]).toEqual(['json', 'Text'])
  })
})

describe('writing a message of the channel', () => {
  const envelope: Envelope = { id: 'i', sender: 's', body: '{"id":42}', position: 'e:1' }

  it('calls ServerMessage with the message and nothing in it that is empty', () => {
    expect(jsonCodec.encodeServerMessage(envelope)).toBe(
      '{"type":1,"target":"ServerMessage","arguments":[{"Id":"i","Header":{"Sender":"s"},"Body":{"id":42},"Position":"e:1"}]}\x1e',
    )
    expect(jsonCodec.encodeServerMessage({ ...envelope, bodyTypeName: '' })).toBe(
      jsonCodec.encodeServerMessage(envelope),
    )
  })

  it('names the body type where there is one', () => {
    expect(jsonCodec.encodeServerMessage({ ...envelope, bodyTypeName: 'Order' })).toContain(
      '"Header":{"Sender":"s","BodyTypeName":"Order"}',
    )
  })

  it('writes the bytes that JSON.stringify would, for any body, sender and id', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(fc.jsonValue(), text, text, fc.option(text, { nil: undefined }), (body, sender, id, bodyTypeName) => {
        const written = jsonCodec.encodeServerMessage({
          id,
          sender,
          body: JSON.stringify(body),
          position: 'e:1',
          ...(bodyTypeName === undefined ? {} : { bodyTypeName }),
        })
        const message: Message = {
          Id: id,
          Header: { Sender: sender, ...(bodyTypeName ? { BodyTypeName: bodyTypeName } : {}) },
          Body: body,
          Position: 'e:1',
        }
        expect(written).toBe(
          JSON.stringify({ type: 1, target: 'ServerMessage', arguments: [message] }) + RECORD_SEPARATOR,
        )
      }),
    )
  })

  it('keeps lone surrogates, which UTF-8 alone could not', () => {
    const written = jsonCodec.encodeServerMessage({ ...envelope, body: JSON.stringify('\ud800') })
    const received = JSON.parse(Buffer.from(written).toString().slice(0, -1)) as { arguments: [Message] }
    expect(received.arguments[0].Body).toBe('\ud800')
  })
})
