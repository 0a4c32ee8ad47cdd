import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type { ServerChannelOptions } from '../src/options.ts'
import { createServerChannel } from '../src/server.ts'
import type { ServerChannel } from '../src/server-channel.ts'
import { HANDSHAKE } from './hub-scene.ts'
import { until } from './until.ts'

/** A channel that listens on loopback until the test is over. */
export interface ServedChannel {
  readonly channel: ServerChannel
  readonly url: string
  readonly hubUrl: string
  readonly port: number
}

export async function serveChannel(options: ServerChannelOptions = {}): Promise<ServedChannel> {
  const channel = await createServerChannel({ logger: pino({ level: 'silent' }), ...options })
  onTestFinished(() => channel.close())
  const { url, port } = await channel.listen()
  return { channel, url, hubUrl: `${url}/msg`, port }
}

/** A WebSocket client, with what it was told. */
export interface SocketClient {
  readonly socket: WebSocket
  /** Hub messages without their separators, the handshake's answer first. */
  readonly records: string[]
  /** Bodies of the channel's messages. */
  bodies(): unknown[]
  /** The close code that it got. */
  readonly closed: Promise<number>
}

/** Connects and shakes hands. `path` is that of the hub, with its query. */
export async function openClient(port: number, path = '/msg', shakesHands = true): Promise<SocketClient> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  onTestFinished(() => socket.terminate())
  const records: string[] = []
  socket.on('message', (data: Buffer) => records.push(...data.toString().split('\x1e').slice(0, -1)))
  socket.on('error', () => {})
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  if (shakesHands) {
    socket.send(HANDSHAKE)
    await until(() => records.length > 0, 'the handshake is answered')
  }
  return { socket, records, closed, bodies: () => records.flatMap(bodyOf) }
}

function bodyOf(record: string): unknown[] {
  const { target, arguments: args } = JSON.parse(record) as { target?: string; arguments?: { Body: unknown }[] }
  return target === 'ServerMessage' ? [args?.[0]?.Body] : []
}

/** A plain TCP connection, for what no client would send. */
export interface RawConnection {
  readonly socket: Socket
  /** All that came, one character a byte. */
  text(): string
  isEnded(): boolean
}

export async function openRaw(port: number, bytes: string | Buffer = ''): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => {
    socket.destroy()
  })
  let text = ''
  let isEnded = false
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isEnded = true
  })
  await new Promise((resolve) => socket.once('connect', resolve))
  if (bytes.length > 0) socket.write(bytes)
  return { socket, text: () => text, isEnded: () => isEnded }
}

export const UPGRADE_HEAD =
  'GET /msg HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

/** One frame as clients send them, masked with zeros. */
export function clientFrame(opcode: number, payload: string | Buffer, isFinal = true): Buffer {
  const data = Buffer.from(payload)
  const head = data.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8)
  head[0] = (isFinal ? 0x80 : 0) | opcode
  if (data.length < 126) head[1] = 0x80 | data.length
  else {
    head[1] = 0x80 | 126
    head.writeUInt16BE(data.length, 2)
  }
  return Buffer.concat([head, data])
}
