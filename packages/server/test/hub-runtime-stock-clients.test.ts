import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as newest from '@microsoft/signalr'
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack'
import { jsonCodec } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import * as oldest from 'signalr-3.1.3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TypedConnection } from '../src/hub/hub-contract.ts'
import { HubRuntime } from '../src/hub/hub-runtime.ts'
import { resolveLimits } from '../src/options.ts'
import { systemClock } from '../src/system-clock.ts'
import { WebSocketAcceptor } from '../src/transports/websocket.ts'
import { type ConformanceContract, createConformanceHub } from './conformance-hub.ts'
import { serve } from './hub-runtime-scene.ts'
import { until } from './until.ts'

type Connection = newest.HubConnection
type Typed = TypedConnection<ConformanceContract>

const limits = resolveLimits({})
let server: Server
let url: string
let runtime: HubRuntime<ConformanceContract>
const errors: unknown[] = []
const connections: Connection[] = []

beforeAll(async () => {
  runtime = new HubRuntime(createConformanceHub(), {
    clock: systemClock,
    limits,
    onError: (error) => errors.push(error),
  })
  const acceptor = new WebSocketAcceptor(limits)
  let ids = 0
  server = createServer().on('upgrade', (request, socket, head) => {
    acceptor.accept(request, socket, head, (transport) => {
      const connection = serve({
        runtime,
        transport,
        clock: systemClock,
        limits,
        id: `connection-${++ids}`,
        identity: {},
        codecs: [jsonCodec, messagePackCodec],
        request: {
          transport: transport.name,
          url: request.url ?? '',
          headers: request.headers,
          remoteAddress: undefined,
        },
      })
      connection.start()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/msg`
})

afterEach(async () => {
  for (const connection of connections.splice(0)) await connection.stop()
  await until(() => runtime.connectionCount === 0, 'all clients are gone')
})

afterAll(() => {
  server.close()
  server.closeAllConnections()
})

type Library = Pick<typeof newest, 'HubConnectionBuilder' | 'HttpTransportType' | 'LogLevel' | 'Subject'>

async function connect(library: Library, protocol: 'json' | 'messagepack'): Promise<Connection> {
  const builder = new library.HubConnectionBuilder()
    .withUrl(url, { skipNegotiation: true, transport: library.HttpTransportType.WebSockets })
    .configureLogging(library.LogLevel.None)
  if (protocol === 'messagepack') builder.withHubProtocol(new MessagePackHubProtocol())
  const connection = builder.build()
  connections.push(connection)
  await connection.start()
  return connection
}

function collect<Item>(stream: { subscribe(observer: newest.IStreamSubscriber<Item>): unknown }): Promise<Item[]> {
  return new Promise((resolve, reject) => {
    const items: Item[] = []
    stream.subscribe({ next: (item) => items.push(item), complete: () => resolve(items), error: reject })
  })
}

describe.each([
  ['the newest client over JSON', newest as Library, 'json' as const],
  ['the newest client over MessagePack', newest as Library, 'messagepack' as const],
  ['the client 3.1.3 over JSON', oldest as unknown as Library, 'json' as const],
])('%s', (_, library, protocol) => {
  it('calls methods', async () => {
    const connection = (await connect(library, protocol)) as Typed
    expect(await connection.invoke('Echo', 'line1\nline2 日本')).toBe('line1\nline2 日本')
    expect(await connection.invoke('VoidMethod')).toBeNull()
    expect(await connection.invoke('Add', 2, 3)).toBe(5)
    expect(await connection.invoke('EchoComplexObject', { a: [1, { b: null }] })).toEqual({ a: [1, { b: null }] })
    expect(await connection.invoke('GetActiveTransportName')).toBe('WebSockets')
  })

  it.each([
    [
      'NoSuchMethod',
      [1],
      "Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist.",
    ],
    ['Echo', [], "Failed to invoke 'Echo' due to an error on the server."],
    ['ThrowException', ['x'], "An unexpected error occurred invoking 'ThrowException' on the server."],
    [
      'ThrowHubException',
      ['x'],
      "An unexpected error occurred invoking 'ThrowHubException' on the server. HubException: x",
    ],
    ['Secret', [], "Failed to invoke 'Secret' because user is unauthorized"],
  ])('gets the error of %s', async (target, args, message) => {
    const connection = await connect(library, protocol)
    await expect(connection.invoke(target, ...args)).rejects.toThrow(message)
  })

  it('is called', async () => {
    const connection = await connect(library, protocol)
    const got: unknown[] = []
    connection.on('Message', (text: string) => got.push(text))
    connection.on('message', (text: string) => got.push(text))
    connection.on('CustomObject', (value: unknown) => got.push(value))
    await connection.invoke('InvokeWithString', 'hi')
    await connection.invoke('SendCustomObject', { Name: 'n', Value: 42 })
    await connection.invoke('JoinGroup', 'g')
    await connection.invoke('SendGroup', 'g', { deep: [1] })
    runtime.clients.group('g').send('message', 'from outside')
    await connection.invoke('LeaveGroup', 'g')
    await connection.invoke('SendGroup', 'g', 'not for it')
    const object = protocol === 'json' ? { name: 'n', value: 42 } : { Name: 'n', Value: 42 }
    // Its handlers' names match in any case, so both of the first two get each message.
    expect(got.filter((item, index) => got.indexOf(item) === index)).toEqual([
      'hi',
      object,
      { deep: [1] },
      'from outside',
    ])
  })

  it('gets streams, and cancels them', async () => {
    const connection = await connect(library, protocol)
    expect(await collect(connection.stream('Stream'))).toEqual(['a', 'b', 'c'])
    expect(await collect(connection.stream('EmptyStream'))).toEqual([])
    await expect(collect(connection.stream('StreamFailMid'))).rejects.toThrow(
      'An error occurred on the server while streaming results.',
    )
    const canceled = new Promise<void>((resolve) => connection.on('StreamCanceled', resolve))
    const subscription = connection
      .stream('InfiniteStream')
      .subscribe({ next: () => {}, complete: () => {}, error: () => {} })
    await connection.invoke('VoidMethod')
    subscription.dispose()
    await canceled
  })

  it('sends streams, longer than what is held of them, and ends them with errors', async () => {
    const connection = await connect(library, protocol)
    const stream = new library.Subject<string>()
    const answer = connection.invoke('StreamingConcat', stream)
    for (let count = 0; count < 500; count++) stream.next('x')
    stream.complete()
    expect(await answer).toBe('x'.repeat(500))
    const broken = new library.Subject<string>()
    const failure = connection.invoke('StreamingConcat', broken)
    broken.error(new Error('Something bad'))
    await expect(failure).rejects.toThrow('HubException: ')
  })

  it('is aborted for good', async () => {
    const connection = await connect(library, protocol)
    const closed = new Promise<Error | undefined>((resolve) => connection.onclose(resolve))
    await expect(connection.invoke('Abort')).rejects.toThrow()
    expect(await closed).toBeUndefined()
  })
})

describe.each(['json', 'messagepack'] as const)('the newest client over %s', (protocol) => {
  it('gives results', async () => {
    const connection = (await connect(newest, protocol)) as Connection & Typed
    const id = await connection.invoke<string>('GetCallerConnectionId')
    await expect(runtime.clients.client(id).invoke('Result')).rejects.toThrow("Client didn't provide a result.")
    connection.on('Result', () => 10)
    expect(await runtime.clients.client(id).invoke('Result')).toBe(10)
    connection.off('Result')
    connection.on('Result', () => {
      throw new Error('not now')
    })
    await expect(runtime.clients.client(id).invoke('Result')).rejects.toMatchObject({
      name: 'HubException',
      message: 'Error: not now',
    })
    connection.off('Result')
    connection.on('Result', () => 10)
    connection.on('Result', () => 11)
    await expect(runtime.clients.client(id).invoke('Result')).rejects.toThrow('Client provided multiple results.')
  })

  it('is lost while a result is awaited of it', async () => {
    const connection = (await connect(newest, protocol)) as Connection & Typed
    const id = await connection.invoke('GetCallerConnectionId')
    connection.on('Result', () => new Promise<number>(() => {}))
    const answer = runtime.clients.client(id).invoke('Result')
    await connection.stop()
    await expect(answer).rejects.toMatchObject({ code: 'not_found' })
  })
})

it('nothing but what methods threw was reported', () => {
  expect(new Set(errors.map((error) => (error as Error).name))).toEqual(new Set(['InvalidOperationException']))
})
