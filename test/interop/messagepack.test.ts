import * as newest from '@microsoft/signalr'
import * as newestProtocol from '@microsoft/signalr-protocol-msgpack'
import { type HubMessage, ProtocolError } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import { createServerChannel, type ServerChannel } from 'serverchannel'
import * as oldest from 'signalr-3.1.3'
import * as oldestProtocol from 'signalr-protocol-msgpack-3.1.3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

interface StockConnection {
  on(target: string, handler: (message: { readonly Body: unknown; readonly Position: string }) => void): void
  start(): Promise<void>
  stop(): Promise<void>
  invoke(method: string, ...args: unknown[]): Promise<unknown>
}

const clients: readonly [string, (url: string, transport: number) => StockConnection][] = [
  [
    'newest',
    (url, transport) =>
      new newest.HubConnectionBuilder()
        .withUrl(url, { transport })
        .withHubProtocol(new newestProtocol.MessagePackHubProtocol())
        .configureLogging(newest.LogLevel.None)
        .build(),
  ],
  [
    '3.1.3',
    (url, transport) =>
      new oldest.HubConnectionBuilder()
        .withUrl(url, { transport })
        .withHubProtocol(new oldestProtocol.MessagePackHubProtocol() as unknown as oldest.IHubProtocol)
        .configureLogging(oldest.LogLevel.None)
        .build(),
  ],
]
const transports: readonly [string, number][] = [
  ['WebSockets', 1],
  ['long polling', 4],
]
const BODIES: readonly unknown[] = [
  '',
  'null',
  '5',
  [1, -1, 1.5, 2 ** 40, true, null],
  { a: { 'Ünïcödé 😀': [] } },
  null,
  'x'.repeat(100_000),
]
const LIMITS = { messageBytesMax: 32_768, depthMax: 64 }
const WAIT = { timeout: 10_000, interval: 10 }

let channel: ServerChannel
let url: string

beforeEach(async () => {
  channel = await createServerChannel({ development: true })
  url = `${(await channel.listen()).url}/msg`
})

afterEach(() => channel.close())

const read = (bytes: Uint8Array): HubMessage[] => [...messagePackCodec.createReader(LIMITS).read(bytes)]

describe.each(clients)('@microsoft/signalr %s with MessagePack', (_version, connect) => {
  it.each(transports)('gets every kind of body over %s, beside a client with JSON', async (_transport, number) => {
    const connection = connect(url, number)
    const json = new newest.HubConnectionBuilder().withUrl(url).configureLogging(newest.LogLevel.None).build()
    const got: unknown[] = []
    const gotJson: unknown[] = []
    connection.on('ServerMessage', ({ Body }) => got.push(Body))
    json.on('ServerMessage', ({ Body }: { Body: unknown }) => gotJson.push(Body))
    await connection.start()
    await json.start()
    for (const body of BODIES) await channel.postMessageToAll('A', body)
    await expect.poll(() => got.length, WAIT).toBe(BODIES.length)
    await expect.poll(() => gotJson.length, WAIT).toBe(BODIES.length)
    expect(got).toEqual(BODIES)
    expect(gotJson).toEqual(BODIES)
    await expect(connection.invoke('Nope')).rejects.toThrow('Method does not exist.')
    await connection.stop()
    await json.stop()
  })
})

describe('the MessagePack codec', () => {
  it('writes the bytes of a .NET server', () => {
    const hex = (message: HubMessage): string => Buffer.from(messagePackCodec.encode(message)).toString('hex')
    expect(hex({ type: 6 })).toBe('029106')
    expect(hex({ type: 7 })).toBe('049307c0c2')
    expect(hex({ type: 8, sequenceId: 4 })).toBe('03920804')
    expect(hex({ type: 9, sequenceId: 5 })).toBe('03920905')
    expect(hex({ type: 3, invocationId: '0', result: 'hi' })).toBe('09950380a13003a26869')
    expect(hex({ type: 3, invocationId: '0', result: null })).toBe('07950380a13003c0')
  })

  it('reads what clients send, cut anywhere', () => {
    const bytes = Buffer.from('0e950180a130a44563686f91a268690291060392 07c0'.replace(' ', ''), 'hex')
    const whole = read(bytes)
    expect(whole).toMatchObject([
      { type: 1, invocationId: '0', target: 'Echo', arguments: ['hi'] },
      { type: 6 },
      { type: 7 },
    ])
    const reader = messagePackCodec.createReader(LIMITS)
    const pieces = [...bytes].flatMap((_, index) => [...reader.read(bytes.subarray(index, index + 1))])
    expect(pieces).toEqual(whole)
  })

  it.each([
    ['arrays in arrays', Buffer.concat([Buffer.from([0xff, 0xff, 0x01]), Buffer.alloc(32_767, 0x91)])],
    [
      'array headers that declare 65,535 elements each',
      Buffer.concat([Buffer.from([0xfe, 0xff, 0x01]), Buffer.alloc(32_766, Buffer.from([0xdc, 0xff, 0xff]))]),
    ],
    ['a length beyond the limit', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07])],
    ['a length without an end', Buffer.alloc(10, 0xff)],
    ['a text longer than the message', Buffer.from([0x05, 0xdb, 0x7f, 0xff, 0xff, 0xff])],
    ['messages without anything in them', Buffer.alloc(1000)],
  ])('refuses %s at once and without memory', (_name, bytes) => {
    const before = process.memoryUsage().rss
    expect(() => read(bytes)).toThrow(ProtocolError)
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * 1024 * 1024)
  })

  it('answers 10,000 malformed inputs with a protocol error or with messages', () => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    let state = seed
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return Math.floor((state / 0x80000000) * below)
    }
    const valid = Buffer.from('0e950180a130a44563686f91a26869', 'hex')
    let refused = 0
    for (let n = 0; n < 10_000; n++) {
      const bytes =
        n % 2 === 0 ? Buffer.from(valid) : Buffer.from(Array.from({ length: 1 + random(60) }, () => random(256)))
      for (let change = random(4); change >= 0; change--) bytes[random(bytes.length)] = random(256)
      try {
        read(bytes)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw new Error(`With SEED=${seed}, at ${n}`, { cause: error })
        refused++
      }
    }
    expect(refused).toBeGreaterThan(1000)
  })
})
