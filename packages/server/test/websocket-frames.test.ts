import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createRandom, firstSeed, type Random, withSeed } from '../../protocol/test/random.ts'
import { resolveLimits } from '../src/options.ts'
import { FrameReaders, type FrameTaker } from '../src/transports/frame-reader.ts'
import { SocketWriter } from '../src/transports/socket-writer.ts'
import { WebSocketAcceptor } from '../src/transports/websocket.ts'
import { clientFrame, openRaw, UPGRADE_HEAD } from './served-channel.ts'
import { until } from './until.ts'

const limits = resolveLimits({ receivedFrameBytesMax: 70_000, receivedFragmentsMax: 6 })
const SEEDS = 150

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer, taken: Taken) => void

/** What a server took of one peer. */
interface Taken {
  readonly messages: (string | Buffer)[]
  isClosed: boolean
}

/** @returns sends the pieces to the server, and gives all that it took and said once it has ended the connection */
async function serve(onUpgrade: OnUpgrade): Promise<(pieces: readonly Buffer[]) => Promise<[string, Taken]>> {
  const taken = new Map<string, Taken>()
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const entry: Taken = { messages: [], isClosed: false }
    taken.set(request.url ?? '', entry)
    onUpgrade(request, socket, head, entry)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  let count = 0
  return async (pieces) => {
    const url = `/${++count}`
    const raw = await openRaw((server.address() as AddressInfo).port, `${UPGRADE_HEAD.replace('/msg', url)}\r\n`)
    for (const piece of pieces) {
      raw.socket.write(piece)
      await new Promise(setImmediate)
    }
    raw.socket.end()
    await until(() => raw.isEnded() && taken.get(url)?.isClosed === true, 'both ends are closed')
    return [raw.text(), taken.get(url) ?? { messages: [], isClosed: false }]
  }
}

function serveOurs(): ReturnType<typeof serve> {
  const acceptor = new WebSocketAcceptor(limits, new SocketWriter('auto'))
  return serve((request, socket, head, taken) => {
    acceptor.accept(request, socket, head, (transport) => {
      transport.listen({
        onData: (data) => taken.messages.push(data),
        onDrain() {},
        onClose() {
          taken.isClosed = true
        },
      })
    })
  })
}

/** Answers a close frame without a code with 1000, as .NET does (SIGNALR 2.4 W4): ws would with none. */
class CodedWebSocket extends WebSocket {
  override close(code: number = 1000, data?: string | Buffer): void {
    super.close(code, data)
  }
}

/** What ws would say, with a WebSocket of its own for each peer. */
function serveByWs(): ReturnType<typeof serve> {
  const { receivedFrameBytesMax: maxPayload, receivedFragmentsMax: maxFragments } = limits
  const server = new WebSocketServer({ noServer: true, maxPayload, maxFragments, WebSocket: CodedWebSocket })
  return serve((request, socket, head, taken) => {
    server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('message', (data: Buffer, isBinary) => taken.messages.push(isBinary ? data : data.toString()))
      webSocket.on('error', () => {})
      webSocket.on('close', () => {
        taken.isClosed = true
      })
    })
  })
}

/** Any frame: with a mask or none, whole or not, of a length and opcode that may be none. */
function anyFrame({ below }: Random): Buffer {
  const length = LENGTHS[below(LENGTHS.length)] ?? 0
  const fill = below(4) === 0 ? 0xff : 0x61 + below(26)
  const opcode = OPCODES[below(OPCODES.length)] ?? 0
  const mask = Buffer.from([below(256), below(256), below(256), below(256)])
  const head = [(below(3) === 0 ? 0 : 0x80) | opcode | (below(40) === 0 ? 0x40 : 0)]
  const masked = below(40) === 0 ? 0 : 0x80
  if (length < 126) head.push(masked | length)
  else if (length < 65_536) head.push(masked | 126, length >> 8, length & 0xff)
  else head.push(masked | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff)
  const payload = Buffer.alloc(length, fill)
  if (masked) payload.forEach((byte, index) => (payload[index] = byte ^ (mask[index % 4] ?? 0)))
  return Buffer.concat([Buffer.from(head), masked ? mask : Buffer.alloc(0), payload])
}

const LENGTHS = [0, 1, 2, 5, 125, 126, 127, 300, 65_535, 65_536, 70_000, 70_001]
/** Most are of messages and parts of them. */
const OPCODES = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 9, 9, 10, 8, 3]

function closeFrameOf(code: number, reason = ''): Buffer {
  return clientFrame(8, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]))
}

function cut(bytes: Buffer, { below }: Random): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = below(3) === 0 ? 1 + below(4) : 1 + below(bytes.length)
    pieces.push(Buffer.from(bytes.subarray(at, at + length)))
    at += length
  }
  return pieces
}

describe('frames of peers', () => {
  it('come to the same as with a WebSocket of ws for each, whatever they are and however they are cut', async () => {
    const [ours, theirs] = [await serveOurs(), await serveByWs()]
    const first = firstSeed()
    const seen = new Set<string>()
    for (let index = 0; index < SEEDS; index++) {
      await withSeed((first + index) >>> 0, async (random) => {
        const frames = Array.from({ length: random.below(8) }, () => anyFrame(random))
        const pieces = cut(Buffer.concat(frames), random)
        const [[said, taken], [theySaid, theyTook]] = await Promise.all([ours(pieces), theirs(pieces)])
        expect(said).toBe(theySaid)
        expect(taken.messages).toEqual(theyTook.messages)
        seen.add(/\x88(?:\x02..)?$/s.exec(said)?.[0] ?? 'nothing')
      })
    }
    // That the frames were of all kinds: some broke the rules, some went over a bound, some broke none.
    expect(seen).toContain('nothing')
    for (const code of ['\x03\xea', '\x03\xf1', '\x03\xef']) expect(seen).toContain(`\x88\x02${code}`)
  }, 60_000)

  it.each([
    ['a code and a reason', closeFrameOf(1001, 'going')],
    ['the code 3000', closeFrameOf(3000)],
    ['a code that none may send', closeFrameOf(1006)],
    ['a reason that is no UTF-8', clientFrame(8, Buffer.from([0x03, 0xe8, 0xff, 0xfe]))],
    ['nothing in it', clientFrame(8, '')],
    ['half a code', clientFrame(8, 'x')],
    ['messages behind it', Buffer.concat([closeFrameOf(1000), clientFrame(1, 'late')])],
    ['a second one', Buffer.concat([closeFrameOf(1000), closeFrameOf(1001)])],
  ])('that close with %s are answered as ws answers them', async (_, bytes) => {
    const [ours, theirs] = [await serveOurs(), await serveByWs()]
    const [[said, taken], [theySaid, theyTook]] = [await ours([bytes]), await theirs([bytes])]
    expect(said).toBe(theySaid)
    expect(taken).toEqual(theyTook)
  })
})

describe('readers of frames', () => {
  /** Messages as they come, and how the peer ended. */
  function createTaker(): FrameTaker & { readonly told: unknown[] } {
    const told: unknown[] = []
    return {
      told,
      onMessage: (data, isBinary) => told.push(isBinary ? data.toString('hex') : data.toString()),
      onPing: (data) => told.push(['ping', data.toString()]),
      onConcluded: (code, reason) => told.push(['concluded', code, reason.toString()]),
      onBroken: (code) => told.push(['broken', code]),
    }
  }

  it('mix up nothing of peers who all are in the middle of something', () => {
    const random = createRandom(firstSeed())
    const readers = new FrameReaders(limits)
    const peers = Array.from({ length: 40 }, (_, number) => {
      const frames = [
        clientFrame(1, `first of ${number}`),
        clientFrame(1, `second `, false),
        clientFrame(9, `ping of ${number}`),
        clientFrame(0, `of ${number}`),
        clientFrame(2, Buffer.from([number])),
        closeFrameOf(1000, `bye ${number}`),
      ]
      return { number, pieces: cut(Buffer.concat(frames), random), taker: createTaker() }
    })
    const kept = new Map<unknown, ReturnType<FrameReaders['read']>>()
    const busy = peers.slice()
    while (busy.length > 0) {
      const peer = busy[random.below(busy.length)]
      const bytes = peer?.pieces.shift()
      if (!peer || !bytes) busy.splice(peer ? busy.indexOf(peer) : 0, 1)
      else kept.set(peer, readers.read(bytes, peer.taker, kept.get(peer)))
    }
    for (const { number, taker } of peers) {
      expect(taker.told).toEqual([
        `first of ${number}`,
        ['ping', `ping of ${number}`],
        `second of ${number}`,
        number.toString(16).padStart(2, '0'),
        ['concluded', 1000, `bye ${number}`],
      ])
    }
  })

  it('are kept by nobody who is between messages, in the middle of one by its peer only', () => {
    const readers = new FrameReaders(limits)
    const message = clientFrame(1, 'whole')
    expect(readers.read(Buffer.from(message), createTaker(), undefined)).toBeUndefined()
    for (let length = 1; length < message.length; length++) {
      const taker = createTaker()
      const reader = readers.read(Buffer.from(message.subarray(0, length)), taker, undefined)
      expect(reader).toBeDefined()
      expect(readers.read(Buffer.from(message.subarray(length)), taker, reader)).toBeUndefined()
      expect(taker.told).toEqual(['whole'])
    }
    const fragment = readers.read(clientFrame(1, 'begin ', false), createTaker(), undefined)
    expect(fragment).toBeDefined()
    const taker = createTaker()
    expect(readers.read(clientFrame(0, 'end'), taker, fragment)).toBeUndefined()
    expect(taker.told).toEqual(['begin end'])
  })

  it('that read a close or a breach are used for no other peer', () => {
    const readers = new FrameReaders(limits)
    for (const end of [closeFrameOf(1000), clientFrame(8, ''), Buffer.from([0x81, 0x01, 0x61])]) {
      expect(readers.read(end, createTaker(), undefined)).toBeDefined()
      const taker = createTaker()
      expect(readers.read(clientFrame(1, 'next'), taker, undefined)).toBeUndefined()
      expect(taker.told).toEqual(['next'])
    }
  })
})
