import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Codec, Envelope, HubMessage, Message, ReadLimits } from '../src/index.ts'
import { ProtocolError } from '../src/index.ts'
import { canonical, hubMessage, jsonValue } from './hub-messages.ts'
import { heldBytes } from './memory.ts'
import { createRandom, firstSeed, type Random } from './random.ts'
import { protocolErrorOf, READ_LIMITS } from './reading.ts'

/** How the data of a codec are cut and joined, and what can't be had of the codec itself. */
export interface Wire<Data extends string | Uint8Array> {
  join(pieces: readonly Data[]): Data
  part(data: Data, start: number, end?: number): Data
  /** The bytes of a framed message without its framing. */
  messageBytes(framed: Data): number
  /** A whole message of a type that is not known yet. */
  readonly unknownType: Data
  /** A whole message that is not of the protocol. */
  readonly broken: Data
  /** Data that begin as the protocol and go wrong, or were never like it. */
  malformed(random: Random): Data
}

const MALFORMED_INPUTS = 10_000
const MALFORMED_LIMITS: ReadLimits = { ...READ_LIMITS, messageBytesMax: 1024 }
const ENVELOPE: Envelope = { id: 'i', sender: 's', body: '{"id":42}', position: 'e:1' }

/** What every codec does. */
export function describeCodec<Data extends string | Uint8Array>(codec: Codec<Data>, wire: Wire<Data>): void {
  function read(pieces: readonly Data[], limits: ReadLimits = READ_LIMITS): HubMessage[] {
    const reader = codec.createReader(limits)
    return pieces.flatMap((piece) => [...reader.read(piece)])
  }

  const readOne = (data: Data): HubMessage | undefined => read([data])[0]
  const units = (data: Data): Data[] => Array.from({ length: data.length }, (_, at) => wire.part(data, at, at + 1))
  const result = (value: unknown): HubMessage => ({ type: 3, invocationId: '1', result: value })
  const PING: HubMessage = { type: 6 }

  describe(`the codec ${codec.name}`, () => {
    it('reads what it writes, of every type', () => {
      fc.assert(
        fc.property(hubMessage(), (message) => {
          expect(canonical(readOne(codec.encode(message)))).toEqual(canonical(message))
        }),
        { numRuns: 1000 },
      )
    })

    it('brings any JSON value unchanged', () => {
      fc.assert(
        fc.property(jsonValue(), (value) => {
          const written = codec.encode({ type: 1, target: 'x', arguments: [value] })
          // As text too, which tells apart own properties from inherited ones.
          expect(JSON.stringify(readOne(written))).toBe(
            JSON.stringify({ type: 1, target: 'x', arguments: [value] } satisfies HubMessage),
          )
        }),
        { numRuns: 1000 },
      )
    })

    it('takes names such as __proto__ for what they are', () => {
      const text = '{"__proto__":{"x":1},"constructor":[{"__proto__":null,"toString":2}],"hasOwnProperty":3}'
      const headers = JSON.parse('{"__proto__":"h","valueOf":"v"}') as Record<string, string>
      const written = codec.encode({ type: 1, target: '__proto__', arguments: [JSON.parse(text)], headers })
      const message = readOne(written)
      if (message?.type !== 1) throw new Error('It is no call')
      expect(message.target).toBe('__proto__')
      expect(JSON.stringify(message.arguments)).toBe(`[${text}]`)
      expect(JSON.stringify(message.headers)).toBe('{"__proto__":"h","valueOf":"v"}')
      expect(Object.getPrototypeOf(message.arguments[0])).toBe(Object.prototype)
      expect(({} as { x?: number }).x).toBeUndefined()
    })

    it('leaves out what is undefined', () => {
      const written = codec.encode(result({ a: undefined, b: [undefined], c: 1 }))
      expect(readOne(written)).toStrictEqual(result({ b: [null], c: 1 }))
    })

    it.each<[string, HubMessage]>([
      ['a result that is null', { type: 3, invocationId: '1', result: null }],
      ['no result', { type: 3, invocationId: '1' }],
      ['an item that is null', { type: 2, invocationId: '1', item: null }],
    ])('tells apart what is null and what is not there: %s', (_, message) => {
      expect(readOne(codec.encode(message))).toStrictEqual(message)
    })

    it('refuses to write a bigint', () => {
      expect(() => codec.encode(result({ deep: [1n] }))).toThrow(TypeError)
      expect(readOne(codec.encode(result(1)))).toEqual(result(1))
    })
  })

  describe(`a message of the channel in ${codec.name}`, () => {
    it('is a call of ServerMessage with what the poster gave', () => {
      const text = fc.string({ unit: 'binary' })
      fc.assert(
        fc.property(jsonValue(), text, text, fc.option(text, { nil: undefined }), (value, sender, id, bodyTypeName) => {
          const body = JSON.stringify(value)
          const Header = bodyTypeName ? { Sender: sender, BodyTypeName: bodyTypeName } : { Sender: sender }
          const message: Message = { Id: id, Header, Body: JSON.parse(body), Position: 'e:1' }
          const call = readOne(codec.encodeServerMessage({ id, sender, bodyTypeName, body, position: 'e:1' }))
          expect(JSON.stringify(call)).toBe(JSON.stringify({ type: 1, target: 'ServerMessage', arguments: [message] }))
        }),
      )
    })

    it('has nothing in it that is empty', () => {
      const bare = codec.encodeServerMessage(ENVELOPE)
      for (const empty of ['', undefined]) {
        const envelope = { ...ENVELOPE, bodyTypeName: empty, channelType: empty, sentBy: undefined }
        expect(codec.encodeServerMessage(envelope)).toEqual(bare)
      }
    })

    it('says in its header how it is addressed and which client sent it', () => {
      const sentBy = { User: 'O"Hara\u2028', ConnectionId: 'c-1' }
      const data = codec.encodeServerMessage({ ...ENVELOPE, bodyTypeName: 't', channelType: 'PTPMsg', sentBy })
      const Header = { Sender: 's', BodyTypeName: 't', ChannelType: 'PTPMsg', SentBy: sentBy }
      expect(readOne(data)).toMatchObject({ arguments: [{ Header }] })
      const anonymous = codec.encodeServerMessage({ ...ENVELOPE, sentBy: { ConnectionId: 'c-2' } })
      expect(readOne(anonymous)).toMatchObject({
        arguments: [{ Header: { Sender: 's', SentBy: { ConnectionId: 'c-2' } } }],
      })
    })

    it.each(['null', '""', '0', 'false', '[]', '{}'])('keeps the body %s', (body) => {
      expect(readOne(codec.encodeServerMessage({ ...ENVELOPE, body }))).toStrictEqual({
        type: 1,
        target: 'ServerMessage',
        arguments: [{ Id: 'i', Header: { Sender: 's' }, Body: JSON.parse(body), Position: 'e:1' }],
      })
    })
  })

  describe(`a stream of ${codec.name}`, () => {
    it('gives the same messages however it is cut', () => {
      fc.assert(
        fc.property(
          fc.array(hubMessage(), { minLength: 1, maxLength: 5 }),
          fc.array(fc.nat(400), { maxLength: 8 }),
          (messages, cuts) => {
            const data = wire.join(messages.map((message) => codec.encode(message)))
            const places = [0, ...cuts.filter((cut) => cut < data.length).sort((a, b) => a - b), data.length]
            const pieces = places.slice(1).map((end, index) => wire.part(data, places[index] ?? 0, end))
            expect(read(pieces).map(canonical)).toEqual(messages.map(canonical))
          },
        ),
        { numRuns: 300 },
      )
    })

    it('gives the same messages where it comes unit by unit', () => {
      const messages = [PING, result('é😀'.repeat(200)), PING, result([1]), PING]
      const data = wire.join(messages.map((message) => codec.encode(message)))
      expect(read(units(data))).toEqual(messages)
    })

    it('gives nothing while a message is not whole', () => {
      const data = codec.encode(result('not yet'))
      const reader = codec.createReader(READ_LIMITS)
      for (const unit of units(wire.part(data, 0, data.length - 1))) expect([...reader.read(unit)]).toEqual([])
      expect([...reader.read(wire.part(data, 0, 0))]).toEqual([])
      expect([...reader.read(wire.part(data, data.length - 1))]).toEqual([result('not yet')])
    })

    it('is read only as far as is asked', () => {
      const messages = codec.createReader(READ_LIMITS).read(wire.join([codec.encode(PING), wire.broken]))
      expect(messages.next().value).toEqual(PING)
      expect(protocolErrorOf(() => messages.next()).code).toBe('malformed')
    })

    it('goes on after a type that is not known', () => {
      expect(read([wire.join([codec.encode(PING), wire.unknownType, codec.encode(result(1))])])).toEqual([
        PING,
        result(1),
      ])
    })
  })

  describe(`the limits of ${codec.name}`, () => {
    it('are exact in bytes, in one piece and in many', () => {
      for (const character of ['a', 'é', '日', '😀']) {
        const data = codec.encode(result(character.repeat(300)))
        const bytes = wire.messageBytes(data)
        for (const pieces of [[data], units(data)]) {
          expect(read(pieces, { ...READ_LIMITS, messageBytesMax: bytes })).toHaveLength(1)
          const tight = { ...READ_LIMITS, messageBytesMax: bytes - 1 }
          expect(protocolErrorOf(() => read(pieces, tight)).code).toBe('too-large')
        }
      }
    })

    it('hold for each message, not for all of them together', () => {
      const data = codec.encode(result('a'.repeat(200)))
      const all = wire.join(Array.from({ length: 1000 }, () => data))
      expect(read([all], { ...READ_LIMITS, messageBytesMax: 256 })).toHaveLength(1000)
    })

    it('refuse a message before it is whole', () => {
      const data = codec.encode(result('a'.repeat(2000)))
      const limits = { ...READ_LIMITS, messageBytesMax: 1000 }
      expect(protocolErrorOf(() => read([wire.part(data, 0, 1500)], limits)).code).toBe('too-large')
    })

    it('are exact in depth', () => {
      // The message itself and its list of arguments are two levels.
      const nested = (depth: number): Data => {
        let value: unknown = []
        for (let level = depth - 1; level > 2; level--) value = level % 2 === 0 ? [value] : { a: value }
        return codec.encode({ type: 1, target: 'x', arguments: [value] })
      }
      for (const depthMax of [3, 8, 64, 500]) {
        const limits = { ...READ_LIMITS, depthMax }
        expect(read([nested(depthMax)], limits)).toHaveLength(1)
        expect(protocolErrorOf(() => read([nested(depthMax + 1)], limits)).code).toBe('too-deep')
      }
    })

    it('make many small pieces cost what one large does', () => {
      const start = process.cpuUsage()
      const data = codec.encode(result('a'.repeat(200_000)))
      expect(read(units(data), { ...READ_LIMITS, messageBytesMax: 300_000 })).toHaveLength(1)
      // Copying what is there with each piece would take some 20 s; it takes some 50 ms.
      expect(process.cpuUsage(start).user / 1000).toBeLessThan(3000)
    })
  })

  describe(`${MALFORMED_INPUTS} malformed inputs of ${codec.name}`, () => {
    it('end in messages or a ProtocolError, in time of their length, and leave nothing behind', () => {
      const seed = firstSeed()
      const random = createRandom(seed)
      const counts = { read: 0, refused: 0 }
      const run = (inputs: number): void => {
        for (let i = 0; i < inputs; i++) {
          const input = wire.malformed(random)
          const cut = random.below(input.length + 1)
          const reader = codec.createReader(MALFORMED_LIMITS)
          let messages = 0
          try {
            for (const piece of [wire.part(input, 0, cut), wire.part(input, cut)]) {
              for (const message of reader.read(piece)) if (message.type > 0) messages++
            }
            counts.read++
          } catch (error) {
            if (!(error instanceof ProtocolError)) {
              throw new Error(`With SEED=${seed}, input ${i}: ${JSON.stringify(input)}`, { cause: error })
            }
            counts.refused++
          }
          expect(messages).toBeLessThanOrEqual(input.length)
        }
      }
      run(MALFORMED_INPUTS / 10)
      const heldBefore = heldBytes()
      const start = process.cpuUsage()
      run(MALFORMED_INPUTS)
      // Some 500 ms; an input whose cost grows faster than its length would show.
      expect(process.cpuUsage(start).user / 1000).toBeLessThan(10_000)
      expect(heldBytes() - heldBefore).toBeLessThan(2_000_000)
      // Both happen, or the inputs test nothing.
      expect(counts.read).toBeGreaterThan(MALFORMED_INPUTS / 50)
      expect(counts.refused).toBeGreaterThan(MALFORMED_INPUTS / 5)
    })
  })
}
