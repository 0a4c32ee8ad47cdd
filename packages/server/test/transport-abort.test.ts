import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Chunk } from '../src/channel/chunk.ts'
import type { Transport, TransportListener } from '../src/channel/transport.ts'
import { type DirectWrites, resolveLimits } from '../src/options.ts'
import { LongPollingTransport } from '../src/transports/long-polling.ts'
import { ServerSentEventsTransport } from '../src/transports/server-sent-events.ts'
import { SocketWriter } from '../src/transports/socket-writer.ts'
import { WebSocketAcceptor } from '../src/transports/websocket.ts'
import { FakeClock } from './fake-clock.ts'
import { startAsking } from './transport-http.ts'
import { until } from './until.ts'

/** A transport with its client, and what its listener was told. */
interface Rig {
  readonly transport: Transport
  readonly told: string[]
  /** Whether the client's end is closed. */
  isClientEnded(): boolean
}

const clock = new FakeClock()
const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Handlers {
  onRequest?(request: IncomingMessage, response: ServerResponse): void
  onUpgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

async function listen({ onRequest, onUpgrade }: Handlers): Promise<string> {
  const server = createServer(onRequest)
  if (onUpgrade) server.on('upgrade', onUpgrade)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function record(told: string[]): TransportListener {
  return {
    onData: () => told.push('data'),
    onDrain: () => told.push('drain'),
    onClose: () => told.push('close'),
  }
}

async function overRequest(open: (response: ServerResponse) => Transport): Promise<Rig> {
  const told: string[] = []
  let transport: Transport | undefined
  const url = await listen({
    onRequest(_, response) {
      const opened = open(response)
      opened.listen(record(told))
      transport = opened
    },
  })
  let isEnded = false
  startAsking(url).request.once('close', () => {
    isEnded = true
  })
  await until(() => transport !== undefined, 'the transport is open')
  if (!transport) throw new Error('There is no transport')
  return { transport, told, isClientEnded: () => isEnded }
}

async function overWebSocket(directWrites: DirectWrites): Promise<Rig> {
  const told: string[] = []
  let transport: Transport | undefined
  const writer = new SocketWriter(directWrites)
  await writer.way
  const acceptor = new WebSocketAcceptor(resolveLimits({}), writer)
  const url = await listen({
    onUpgrade(request, socket, head) {
      acceptor.accept(request, socket, head, (opened) => {
        transport = opened
        opened.listen(record(told))
      })
    },
  })
  const webSocket = new WebSocket(url.replace('http', 'ws'))
  webSocket.on('error', () => {})
  await until(() => transport !== undefined && webSocket.readyState === WebSocket.OPEN, 'the transport is open')
  if (!transport) throw new Error('There is no transport')
  return { transport, told, isClientEnded: () => webSocket.readyState === WebSocket.CLOSED }
}

const rigs: readonly [string, () => Promise<Rig>][] = [
  ['WebSockets', () => overWebSocket('auto')],
  ['WebSockets, written to by their handles', () => overWebSocket('handles')],
  ['WebSockets, written to by their streams', () => overWebSocket('off')],
  [
    'ServerSentEvents',
    () =>
      overRequest((response) => new ServerSentEventsTransport(response, { clock, closeTimeoutMs: 100, isRaw: false })),
  ],
  [
    'LongPolling',
    () =>
      overRequest((response) => {
        const times = { pollTimeoutMs: 1000, disconnectTimeoutMs: 1000, closeTimeoutMs: 1000 }
        const transport = new LongPollingTransport({ clock, ...times, onEnd: () => {} })
        transport.poll(response)
        return transport
      }),
  ],
]

describe.each(rigs)('%s', (_, open) => {
  it('ends at once when it is broken off, and tells that once', async () => {
    const { transport, told, isClientEnded } = await open()
    transport.write(new Chunk(Buffer.alloc(16_000_000), 1))
    transport.abort()
    transport.abort()
    transport.close(1000)
    transport.write(new Chunk(Buffer.from('late'), 1))
    await until(() => told.includes('close') && isClientEnded(), 'both ends know')
    expect(told.filter((what) => what === 'close')).toHaveLength(1)
    expect(told.at(-1)).toBe('close')
  })

  it('tells its end once where it is ended twice, and takes nothing more', async () => {
    const { transport, told, isClientEnded } = await open()
    transport.close(1000)
    transport.close(1011)
    const bytes = transport.bufferedBytes + transport.takenBytes
    transport.write(new Chunk(Buffer.from('late'), 1))
    expect(transport.bufferedBytes + transport.takenBytes).toBe(bytes)
    await until(() => told.includes('close') && isClientEnded(), 'both ends know')
    transport.abort()
    expect(told).toEqual(['close'])
  })

  it('counts what was written, and what the client took', async () => {
    const { transport, told } = await open()
    const before = transport.takenBytes
    transport.write(new Chunk(Buffer.alloc(16_000_000), 1))
    expect(transport.bufferedBytes + transport.takenBytes - before).toBeGreaterThanOrEqual(16_000_000)
    clock.turn()
    await until(() => told.includes('drain'), 'the client took it')
    expect(transport.bufferedBytes).toBe(0)
    expect(transport.takenBytes - before).toBeGreaterThanOrEqual(16_000_000)
    transport.abort()
  })
})
