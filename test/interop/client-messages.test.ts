import * as newest from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import { connect as connectPage } from '@serverchannel/client'
import {
  allConnections,
  createServerChannel,
  ownConnections,
  type ServerChannel,
  type ServerChannelOptions,
} from 'serverchannel'
import * as oldest from 'signalr-3.1.3'
import { MessagePackHubProtocol as OldMessagePackHubProtocol } from 'signalr-protocol-msgpack-3.1.3'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'

/** What both versions of `@microsoft/signalr` have alike. */
interface StockConnection {
  on(target: string, handler: (message: StockMessage) => void): void
  start(): Promise<void>
  stop(): Promise<void>
  send(method: string, ...args: unknown[]): Promise<void>
  invoke(method: string, ...args: unknown[]): Promise<unknown>
}

interface StockMessage {
  readonly Id: string
  readonly Header: { readonly Sender: string; readonly SentBy?: { readonly User?: string } }
  readonly Body: unknown
  readonly Position?: string
}

interface Client {
  readonly connection: StockConnection
  readonly got: StockMessage[]
}

type Connect = (url: string, transport: number) => StockConnection

const WEB_SOCKETS = 1
const transports: readonly [string, number][] = [
  ['WebSockets', WEB_SOCKETS],
  ['server-sent events', 2],
  ['long polling', 4],
]
const clients: readonly [string, Connect, readonly [string, number][]][] = [
  [
    'newest, JSON',
    (url, transport) =>
      new newest.HubConnectionBuilder().withUrl(url, { transport }).configureLogging(newest.LogLevel.None).build(),
    transports,
  ],
  [
    '3.1.3, JSON',
    (url, transport) =>
      new oldest.HubConnectionBuilder().withUrl(url, { transport }).configureLogging(oldest.LogLevel.None).build(),
    transports,
  ],
  [
    'newest, MessagePack',
    (url, transport) =>
      new newest.HubConnectionBuilder()
        .withUrl(url, { transport })
        .withHubProtocol(new MessagePackHubProtocol())
        .configureLogging(newest.LogLevel.None)
        .build(),
    transports.filter(([name]) => name !== 'server-sent events'),
  ],
  [
    '3.1.3, MessagePack',
    (url, transport) =>
      new oldest.HubConnectionBuilder()
        .withUrl(url, { transport })
        .withHubProtocol(new OldMessagePackHubProtocol() as unknown as oldest.IHubProtocol)
        .configureLogging(oldest.LogLevel.None)
        .build(),
    transports.filter(([name]) => name !== 'server-sent events'),
  ],
]
const WAIT = { timeout: 10_000, interval: 5 }
const BODIES: readonly unknown[] = [
  '',
  'null',
  '5',
  'abc',
  null,
  5,
  false,
  [1, 2],
  [],
  {},
  { a: { b: [null, true, 1.5] } },
  { constructor: 'x', __typename: 1 },
  'Ünïcödé 😀\u2028\u0000\u001e',
]

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function serve(options: ServerChannelOptions = {}): Promise<{ channel: ServerChannel; url: string }> {
  const channel = await createServerChannel({ development: true, closeTimeoutMs: 200, ...options })
  closing.push(() => channel.close())
  return { channel, url: (await channel.listen()).url }
}

async function open(connect: Connect, url: string, user: string, transport = WEB_SOCKETS): Promise<Client> {
  const connection = connect(`${url}/msg?user=${user}`, transport)
  const got: StockMessage[] = []
  connection.on('ServerMessage', (message) => got.push(message))
  closing.push(() => connection.stop())
  await connection.start()
  return { connection, got }
}

/** As Creatio's `createMessageObject` makes it. */
function createMessage(sender: string, body: unknown, header = {}): object {
  const Id = '3f2504e0-4f89-11d3-9a0c-0305e82c3301'
  return { Id, Header: { Sender: sender, BodyTypeName: '', ...header }, Body: body }
}

/** Ends once all that was said to the client before has come. */
async function settled({ connection }: Client): Promise<void> {
  expect(await connection.invoke('Ping')).toBe('Pong!')
}

describe.each(clients)('@microsoft/signalr %s', (version, connect, carriers) => {
  describe.each(carriers)('over %s', (_, transport) => {
    it('pings, by its method and as a command in the console', async () => {
      const { url } = await serve()
      const [ann, other] = [await open(connect, url, 'ann', transport), await open(connect, url, 'ann', transport)]
      expect(await ann.connection.invoke('Ping')).toBe('Pong!')
      await ann.connection.send('SendMessage', createMessage('ConsoleCommand', 'ping'))
      await ann.connection.send('SendRawMessage', JSON.stringify(createMessage('ConsoleCommand', 'ping')))
      await expect.poll(() => ann.got.length, WAIT).toBe(2)
      const Header = { Sender: 'CommandService', BodyTypeName: 'System.String' }
      for (const message of ann.got) expect(message).toEqual({ Id: expect.any(String), Header, Body: 'pong' })
      await settled(other)
      expect(other.got).toEqual([])
    })

    it('gets an echo as it sent it, and nobody else does', async () => {
      const { url } = await serve()
      const [ann, other] = [await open(connect, url, 'ann', transport), await open(connect, url, 'ann', transport)]
      const sent = BODIES.map((body) => createMessage('SomeMessageId', body, { ChannelType: 'PTPMsg' }))
      for (const message of sent) await ann.connection.send('Echo', message)
      await expect.poll(() => ann.got.length, WAIT).toBe(sent.length)
      expect(ann.got).toEqual(sent)
      await settled(other)
      expect(other.got).toEqual([])
    })

    it('sends bodies of every kind to its user, as they are and in order', async () => {
      const { url } = await serve({ clientMessagePolicy: ownConnections })
      const ann = await open(connect, url, 'ann', transport)
      const [other, bob] = [await open(connect, url, 'ann', transport), await open(connect, url, 'bob', transport)]
      for (const [index, body] of BODIES.entries()) {
        const message = createMessage(index % 2 ? 'PTPMsg' : 'Draft', body, index % 2 ? {} : { ChannelType: 'PTPMsg' })
        if (index % 3) await ann.connection.send('SendMessage', message)
        else await ann.connection.send('SendRawMessage', JSON.stringify(message))
      }
      for (const { got } of [ann, other]) {
        await expect.poll(() => got.length, WAIT).toBe(BODIES.length)
        expect(got.map(({ Body }) => Body)).toEqual(BODIES)
        expect(got.every(({ Header }) => Header.SentBy?.User === 'ann')).toBe(true)
        expect(got.every(({ Position }) => Position?.includes(':'))).toBe(true)
      }
      await settled(bob)
      expect(bob.got).toEqual([])
    })

    it('is told why a message is refused', async () => {
      const { url } = await serve({ clientMessagePolicy: ownConnections })
      const [ann, bob] = [await open(connect, url, 'ann', transport), await open(connect, url, 'bob', transport)]
      const refusals: readonly [string, unknown, string][] = [
        ['SendMessage', createMessage('CommandService', 'pong'), 'sender_reserved: Only the server sends under'],
        ['SendRawMessage', '{"Header":{"Sender":"CommandService"}}', 'sender_reserved: Only the server sends under'],
        [
          'SendMessage',
          createMessage('BroadcastMsg', '{}'),
          "message_refused: The server takes no messages of the sender 'BroadcastMsg'",
        ],
        [
          'SendMessage',
          createMessage('ServerMsg', 1),
          "message_refused: The server takes no messages of the sender 'ServerMsg'",
        ],
        [
          'SendMessage',
          createMessage('SomeMessageId', 1),
          "message_refused: The server takes no messages of the sender 'SomeMessageId'",
        ],
        [
          'SendMessage',
          createMessage('', 1),
          "sender_invalid: 'Header.Sender' needs to be a string of 1 to 256 characters",
        ],
        ['SendRawMessage', 'hello', 'message_invalid: The raw message is not JSON.'],
      ]
      for (const [method, message, text] of refusals) {
        const failing = `An unexpected error occurred invoking '${method}' on the server. HubException: ${text}`
        await expect(ann.connection.invoke(method, message)).rejects.toThrow(failing)
      }
      for (const client of [ann, bob]) {
        await settled(client)
        expect(client.got).toEqual([])
      }
    })
  })

  it('sends to everybody where the policy allows it, and who was away gets it', async () => {
    const { channel, url } = await serve({
      clientMessagePolicy: (message) => ownConnections(message) || allConnections(message),
    })
    const [ann, bob] = [await open(connect, url, 'ann'), await open(connect, url, 'bob')]
    const start = channel.position
    // As Creatio's `broadcastMessage` does: a JSON string under this sender.
    await ann.connection.send(
      'SendMessage',
      createMessage('BroadcastMsg', '{"a":1}', { BodyTypeName: 'System.String' }),
    )
    for (const { got } of [ann, bob]) await expect.poll(() => got.map(({ Body }) => Body), WAIT).toEqual(['{"a":1}'])
    const late = await open(connect, url, `cy&position=${encodeURIComponent(start)}`)
    await expect.poll(() => late.got, WAIT).toEqual(bob.got)
  })

  it('carries halves of surrogate pairs as its protocol can, and a megabyte where that is allowed', async () => {
    const { url } = await serve({
      clientMessagePolicy: ownConnections,
      receivedMessageBytesMax: 2_000_000,
      receivedFrameBytesMax: 2_000_000,
    })
    const ann = await open(connect, url, 'ann')
    const half = version.includes('JSON') ? '\ud83d' : '\ufffd'
    const bodies = ['x'.repeat(1_000_000), { half }, '😀'.repeat(100_000)]
    for (const body of bodies) await ann.connection.send('SendMessage', createMessage('PTPMsg', body))
    await expect.poll(() => ann.got.length, WAIT).toBe(bodies.length)
    expect(ann.got.map(({ Body }) => Body)).toEqual(bodies)
  })
})

describe('bytes in MessagePack', () => {
  it('are refused, as JSON has none, and dates arrive as text', async () => {
    const { url } = await serve({ clientMessagePolicy: ownConnections })
    const connect = clients[2]?.[1]
    if (!connect) throw new Error('There is no such client')
    const ann = await open(connect, url, 'ann')
    const sending = ann.connection.invoke('SendMessage', createMessage('PTPMsg', { deep: [Uint8Array.of(1)] }))
    await expect(sending).rejects.toThrow('body_not_json: The body holds bytes')
    await ann.connection.invoke('SendMessage', createMessage('PTPMsg', new Date(0)))
    await expect.poll(() => ann.got.map(({ Body }) => Body), WAIT).toEqual(['1970-01-01T00:00:00.000Z'])
  })
})

describe("this project's client and the plain event stream", () => {
  it('are told who sent a message, also when they were away', async () => {
    const { channel, url } = await serve({ clientMessagePolicy: () => 'all' })
    const start = channel.position
    const ann = await open(clients[0]?.[1] ?? expect.fail(), url, 'ann')
    await channel.postMessageToAll('Server', 1)
    await ann.connection.invoke('SendMessage', createMessage('Page', 2, { ChannelType: 'C' }))
    const page = connectPage(`${url}/msg`, { WebSocket, position: start })
    closing.push(() => page.close())
    const headers: unknown[] = []
    page.onMessage(({ Header }) => headers.push(Header))
    await page.ready()
    expect(headers).toEqual([
      { Sender: 'Server' },
      { Sender: 'Page', ChannelType: 'C', SentBy: { User: 'ann', ConnectionId: expect.any(String) } },
    ])
    const leaving = new AbortController()
    const events = await fetch(`${url}/msg/events?position=${encodeURIComponent(start)}`, { signal: leaving.signal })
    let text = ''
    for await (const chunk of events.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (text.includes('ChannelState')) break
    }
    leaving.abort()
    expect(text).toContain('"Header":{"Sender":"Server"},"Body":1')
    expect(text).toMatch(
      /"Header":\{"Sender":"Page","ChannelType":"C","SentBy":\{"User":"ann","ConnectionId":"[\w-]+"\}\},"Body":2/,
    )
  })
})
