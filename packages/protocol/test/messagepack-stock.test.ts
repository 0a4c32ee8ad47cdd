import { MessagePackHubProtocol, VERSION } from '@microsoft/signalr-protocol-msgpack'
import fc from 'fast-check'
import { MessagePackHubProtocol as OldMessagePackHubProtocol } from 'signalr-protocol-msgpack-3.1.3'
import { describe, expect, it } from 'vitest'
import type { HubMessage } from '../src/index.ts'
import { messagePackCodec } from '../src/messagepack.ts'
import { canonical, hubMessage } from './hub-messages.ts'
import { readBytes } from './messagepack-bytes.ts'

/** What we use of Microsoft's encoder, in the types of either version. */
interface StockProtocol {
  parseMessages(input: ArrayBuffer, logger: { log(): void }): unknown[]
  writeMessage(message: unknown): ArrayBuffer
}

const LIMITS = { messageBytesMax: 1_000_000, depthMax: 64 }
const LOGGER = { log: () => {} }

/** Names that either version refuses as a key, or takes for its own. */
const TROUBLE = /"(?:__proto__|hasOwnProperty|constructor|toString|valueOf|getDate|readUInt32LE)"/

describe.each<[string, StockProtocol, { writes: readonly number[]; reads: readonly number[] }]>([
  [
    `@microsoft/signalr-protocol-msgpack ${VERSION}`,
    new MessagePackHubProtocol(),
    { writes: [1, 2, 3, 4, 5, 6, 7, 8, 9], reads: [1, 2, 3, 6, 7, 8, 9] },
  ],
  [
    '@microsoft/signalr-protocol-msgpack 3.1.3',
    new OldMessagePackHubProtocol(),
    { writes: [1, 2, 3, 4, 5, 6], reads: [1, 2, 3, 6, 7] },
  ],
])('%s', (name, stock, { writes, reads }) => {
  const isOld = name.endsWith('3.1.3')

  /** Messages that this version can deal with. */
  function messages(types: readonly number[]): fc.Arbitrary<HubMessage> {
    return hubMessage().filter((message) => types.includes(message.type) && !TROUBLE.test(JSON.stringify(message)))
  }

  function read(message: HubMessage): unknown {
    const bytes = messagePackCodec.encode(message)
    return stock.parseMessages(new Uint8Array(bytes).buffer, LOGGER)[0]
  }

  function written(message: unknown): Uint8Array {
    return new Uint8Array(stock.writeMessage(message))
  }

  it('writes what we read', () => {
    fc.assert(
      fc.property(messages(writes), (message) => {
        // The old version can't write a call without streams, nor a result that is false, 0, '' or null.
        const given = isOld && 'target' in message ? { ...message, streamIds: message.streamIds ?? [] } : message
        expect(readBytes(written(given), LIMITS)).toEqual([asStockWrites(message, isOld)])
      }),
      { numRuns: 1000 },
    )
  })

  it('reads what we write', () => {
    fc.assert(
      fc.property(messages(reads), (message) => {
        expect(defined(read(message))).toEqual(asStockReads(message))
      }),
      { numRuns: 1000 },
    )
  })

  it('reads a message of the channel', () => {
    const bytes = messagePackCodec.encodeServerMessage({ id: 'i', sender: 's', body: '[1,null]', position: 'e:1' })
    expect(stock.parseMessages(new Uint8Array(bytes).buffer, LOGGER)).toMatchObject([
      {
        type: 1,
        target: 'ServerMessage',
        arguments: [{ Id: 'i', Header: { Sender: 's' }, Body: [1, null], Position: 'e:1' }],
      },
    ])
  })

  it('reads many messages of ours in one piece', () => {
    const pieces = [1, 2, 3].map((item) => messagePackCodec.encode({ type: 2, invocationId: '1', item }))
    expect(stock.parseMessages(new Uint8Array(Buffer.concat(pieces)).buffer, LOGGER)).toMatchObject([
      { item: 1 },
      { item: 2 },
      { item: 3 },
    ])
  })

  it('shares bytes and moments with us', () => {
    const moments = ['2000-01-01T00:00:00Z', '2026-11-24T01:02:03.456Z']
    const args = [Uint8Array.of(1, 2, 3), ...moments.map((moment) => new Date(moment))]
    expect(readBytes(written({ type: 1, target: 'x', arguments: args, streamIds: [] }))).toEqual([
      { type: 1, target: 'x', arguments: args },
    ])
    const theirs = read({ type: 1, target: 'x', arguments: args }) as { arguments: unknown[] }
    expect(Buffer.from(theirs.arguments[0] as Uint8Array).toString('hex')).toBe('010203')
    expect(theirs.arguments.slice(1)).toEqual(args.slice(1))
  })

  it('writes half a surrogate pair so that we read a replacement', () => {
    for (const text of ['a\ud83d', `${'x'.repeat(300)}\ud83d`]) {
      const [message] = readBytes(written({ type: 1, target: 'x', arguments: [text], streamIds: [] }))
      expect((message as { arguments: unknown[] } | undefined)?.arguments[0]).toBe(text.replace('\ud83d', '\ufffd'))
    }
  })

  it('reads no halves of surrogate pairs from us', () => {
    expect(read({ type: 2, invocationId: '1', item: 'a\ud83d' })).toMatchObject({ item: 'a\ufffd' })
  })
})

/** The message as it stands in the bytes that Microsoft's encoder makes of it. */
function asStockWrites(message: HubMessage, isOld: boolean): unknown {
  switch (message.type) {
    case 3: {
      const { error, result, ...rest } = message
      // An empty error counts as none, and in the old version every result that is not truthy does.
      if (error) return { ...rest, error }
      return (isOld ? result : result !== undefined) ? { ...rest, result } : rest
    }
    case 7:
      return { type: 7 }
    default:
      return canonical(message)
  }
}

/** The message as Microsoft's decoder gives it, without what is undefined. */
function asStockReads(message: HubMessage): unknown {
  switch (message.type) {
    case 1:
      return { ...message, headers: message.headers ?? {}, streamIds: [] }
    case 2:
    case 3:
      return { ...message, headers: message.headers ?? {} }
    case 7:
      return { type: 7, error: message.error ?? null, allowReconnect: message.allowReconnect ?? false }
    default:
      return message
  }
}

function defined(message: unknown): unknown {
  return Object.fromEntries(Object.entries(message as object).filter(([, value]) => value !== undefined))
}
