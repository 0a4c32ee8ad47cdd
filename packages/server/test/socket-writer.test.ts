import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Chunk } from '../src/channel/chunk.ts'
import { resolveLimits } from '../src/options.ts'
import { Descriptors } from '../src/transports/descriptors.ts'
import { FrameReaders } from '../src/transports/frame-reader.ts'
import { type Handle, type HandleWriter, HandleWrites } from '../src/transports/handle-writes.ts'
import type { ProvenWrites } from '../src/transports/handle-writes-proof.ts'
import { provenWrites } from '../src/transports/proven-writes.ts'
import { SocketWriter } from '../src/transports/socket-writer.ts'
import { WebSocketTransport } from '../src/transports/websocket-transport.ts'
import { until } from './until.ts'

const PIECE_BYTES = 100_000

/** Both ends of a TCP connection. The far one does not read yet. */
async function openPair(): Promise<Pair> {
  return await connectPair(await listen())
}

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

async function listen(): Promise<Server> {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return server
}

async function connectPair(server: Server): Promise<Pair> {
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown]
  onTestFinished(() => {
    near.destroy()
    far.destroy()
  })
  return { near, far }
}

/** Unlike `once` of Node this does not fail where an error comes first. */
function closedOf(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve))
}

/** Destroys the socket with what the kernel says is wrong, as transports do. */
class Teller implements HandleWriter {
  descriptor = -1
  waitingBytes = 0
  taken = 0
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  onWaiting(bytes: number): void {
    this.waitingBytes = bytes
  }

  onTaken(): void {
    this.waitingBytes = 0
    this.taken++
  }

  onWriteFailed(error: Error): void {
    this.#socket.destroy(error)
  }
}

/** Writes at once, in one of the ways. */
class Writes {
  readonly #proven: ProvenWrites

  constructor(proven: ProvenWrites) {
    this.#proven = proven
  }

  handleOf(socket: Socket): Handle | undefined {
    return this.#proven.handleWrites.handleOf(socket)
  }

  /** To each handle the same. */
  write(handles: readonly Handle[], bytes: Buffer, writers: readonly HandleWriter[]): void {
    const batch = this.#proven.createBatch()
    for (const [index, handle] of handles.entries()) {
      const writer = writers[index]
      if (!writer) continue
      if (writer.descriptor === -1) writer.descriptor = this.#proven.descriptors?.own(handle, writer) ?? -1
      batch.add(handle, bytes, writer)
    }
    batch.writeAll()
  }
}

async function open(way: Way): Promise<Writes> {
  const proven = await provenWrites(way === 'native')
  if (!proven || (way === 'native') !== (proven.descriptors !== undefined)) {
    throw new Error(`This Node does not write as it has to: ${way}`)
  }
  return new Writes(proven)
}

function piece(number: number): Buffer {
  return Buffer.alloc(PIECE_BYTES, `${number},`)
}

function write(writes: Writes, near: Socket, bytes: Buffer, teller: Teller): void {
  const handle = writes.handleOf(near)
  if (!handle) throw new Error('The socket can not be written to below its stream')
  writes.write([handle], bytes, [teller])
}

async function openWriter(way: Way): Promise<SocketWriter> {
  const writer = new SocketWriter(way === 'native' ? 'auto' : way)
  await writer.way
  return writer
}

/** Writes until the kernel takes no more. @returns how many pieces that were */
function fill(writes: Writes, near: Socket, teller: Teller, start = 0): number {
  for (let number = start; number < 1000; number++) {
    write(writes, near, piece(number), teller)
    if (teller.waitingBytes > 0) return number + 1
  }
  throw new Error('The kernel takes everything')
}

type Way = 'native' | 'handles'

/** The addon is built where there is Linux and a C compiler, which CI has. */
const hasNative = await provenWrites(true).then((proven) => proven?.descriptors !== undefined)
if (!hasNative && process.env['REQUIRE_ENGINES'] === '1') throw new Error('@serverchannel/native is not there')
if (!hasNative) console.warn('Skipped: @serverchannel/native was not built: node packages/native/build.js says why')

const ways: readonly Way[] = hasNative ? ['native', 'handles'] : ['handles']

it('knows how it writes', async () => {
  await expect(new SocketWriter('auto').way).resolves.toBe(hasNative ? 'native' : 'handles')
  await expect(new SocketWriter('handles').way).resolves.toBe('handles')
  await expect(new SocketWriter('off').way).resolves.toBe('streams')
})

describe.each(ways)('writing below the streams of sockets: %s', (way) => {
  it('keeps all bytes and their order, however often the reader stops', async () => {
    const writes = await open(way)
    const { near, far } = await openPair()
    const received: Buffer[] = []
    far.on('data', (data: Buffer) => received.push(data))
    let count = 0
    for (let round = 1; round <= 5; round++) {
      const teller = new Teller(near)
      far.pause()
      count = fill(writes, near, teller, count)
      expect(teller.taken).toBe(0)
      // What the stream writes now, as ws does pongs, goes behind it.
      near.write(piece(count++))
      expect(writes.handleOf(near)).toBeUndefined()
      far.resume()
      await until(() => near.writableLength === 0, 'the kernel has taken all')
      expect(teller.taken).toBe(1)
    }
    near.end()
    await once(far, 'end')
    const sent = Buffer.concat(Array.from({ length: count }, (_, number) => piece(number)))
    expect(Buffer.concat(received).equals(sent)).toBe(true)
  })

  it('destroys the socket with the error where the other end is gone, and tells nobody that it took anything', async () => {
    const writes = await open(way)
    const { near, far } = await openPair()
    const errors: (string | undefined)[] = []
    const closed = closedOf(near)
    near.on('error', ({ code }: NodeJS.ErrnoException) => errors.push(code))
    const teller = new Teller(near)
    fill(writes, near, teller)
    far.resetAndDestroy()
    await closed
    expect(errors).toHaveLength(1)
    expect(['ECONNRESET', 'EPIPE']).toContain(errors[0])
    expect(teller.taken).toBe(0)
  })

  it('destroys it too where the kernel refuses at once', async () => {
    const writes = await open(way)
    const { near } = await openPair()
    const errors: unknown[] = []
    const closed = closedOf(near)
    near.on('error', (error) => errors.push(error))
    near.end()
    await once(near, 'finish')
    // Nobody writes to a socket whose end was said; here it shows what an error of the kernel does.
    write(writes, near, piece(0), new Teller(near))
    await closed
    expect(errors).toMatchObject([{ code: 'EPIPE', syscall: 'write', message: 'write EPIPE' }])
  })

  it('says nothing more of a socket that was destroyed in the middle', async () => {
    const writes = await open(way)
    const { near } = await openPair()
    const teller = new Teller(near)
    fill(writes, near, teller)
    const closed = closedOf(near)
    near.destroy()
    await closed
    await new Promise(setImmediate)
    expect(teller.taken).toBe(0)
  })

  it('leaves to the stream what is corked, connecting, encrypted, or watched by a `write` of somebody else', async () => {
    const writes = await open(way)
    const { near } = await openPair()
    near.cork()
    expect(writes.handleOf(near)).toBeUndefined()
    near.uncork()
    expect(writes.handleOf(near)).toBeDefined()
    const connecting = connect(near.remotePort ?? 0, '127.0.0.1')
    onTestFinished(() => void connecting.destroy())
    expect(writes.handleOf(connecting)).toBeUndefined()
    expect(writes.handleOf(new Socket())).toBeUndefined()
    const encrypted = new TLSSocket((await openPair()).near)
    onTestFinished(() => void encrypted.destroy())
    expect(encrypted.writableLength).toBe(0)
    expect(writes.handleOf(encrypted)).toBeUndefined()
    near.write = near.write.bind(near)
    expect(writes.handleOf(near)).toBeUndefined()
  })

  it('says that a handle is closed, and goes on with the others', async () => {
    const writes = await open(way)
    const [gone, there] = [await openPair(), await openPair()]
    const handles = [gone.near, there.near].map((socket) => writes.handleOf(socket))
    const failed: unknown[] = []
    const tellers = handles.map(() => ({
      descriptor: -1,
      onWaiting: () => {},
      onTaken: () => {},
      onWriteFailed: (error: Error) => failed.push(error),
    }))
    gone.near.destroy()
    const bytes = Buffer.from('to all')
    writes.write(
      handles.filter((handle) => handle !== undefined),
      bytes,
      tellers,
    )
    expect(failed).toHaveLength(1)
    expect(failed[0]).toBeInstanceOf(Error)
    const data = once(there.far, 'data')
    there.far.resume()
    expect(String(((await data) as [Buffer])[0])).toBe('to all')
  })

  it('is not looked for where a warning of Node would end the process', () => {
    process.throwDeprecation = true
    try {
      expect(HandleWrites.find()).toBeUndefined()
    } finally {
      process.throwDeprecation = false
    }
  })
})

describe.each([...ways])('a writer of sockets: %s', (way) => {
  it('writes what waits when the code of the turn has run, in order, and a lot of it before', async () => {
    const writer = await openWriter(way)
    const { near, far } = await openPair()
    const teller = new Teller(near)
    const handle = writer.handleOf(near, teller)
    if (!handle) throw new Error('The socket can not be written to below its stream')
    const { turn } = writer
    writer.write(handle, Buffer.from('first '), teller)
    expect(writer.turn).toBe(turn)
    expect(far.readableLength).toBe(0)
    await Promise.resolve()
    expect(writer.turn).toBe(turn + 1)
    writer.write(handle, Buffer.from('second '), teller)
    writer.flush()
    expect(writer.turn).toBe(turn + 2)
    writer.flush()
    expect(writer.turn).toBe(turn + 2)
    for (let count = 0; writer.turn === turn + 2 && count < 10_000; count++) {
      writer.write(handle, Buffer.from('x'), teller)
    }
    expect(writer.turn).toBe(turn + 3)
    near.end()
    let text = ''
    far.setEncoding('utf8').on('data', (data: string) => (text += data))
    far.resume()
    await once(far, 'end')
    expect(text).toMatch(/^first second x{1,9999}$/)
  })

  it('has written what a connection said before its end is', async () => {
    const writer = await openWriter(way)
    const { near, far } = await openPair()
    const readers = new FrameReaders(resolveLimits({}))
    const transport = new WebSocketTransport(near, Buffer.alloc(0), { writer, readers, closeTimeoutMs: 1000 })
    transport.write(new Chunk(Buffer.from('the last words'), 0))
    // As where data and its end come in one turn.
    transport.onEnd()
    let text = ''
    far.setEncoding('latin1').on('data', (data: string) => (text += data))
    far.resume()
    await once(far, 'end')
    expect(text).toMatch(/the last words$/)
  })

  it.each(['destroy', 'resetAndDestroy'] as const)(
    'writes nothing more after %s, when the descriptor is somebody else’s',
    async (end) => {
      const writer = await openWriter(way)
      const server = await listen()
      const gone = await connectPair(server)
      const teller = new Teller(gone.near)
      const handle = writer.handleOf(gone.near, teller)
      if (!handle) throw new Error('The socket can not be written to below its stream')
      const { fd } = handle
      gone.near.on('error', () => {})
      gone.far.on('error', () => {})
      const received = textOf(gone.far)
      // Waits for the end of the turn, and the socket's end comes first.
      writer.write(handle, Buffer.from('last words'), teller)
      gone.near[end]()
      if (end === 'destroy' && way === 'native') {
        await until(() => received() === 'last words', 'what waited was written')
      } else await closedOf(gone.near)
      const heir = await openHeir(server, fd)
      const heard = textOf(heir.far)
      writer.write(handle, Buffer.from('secret'), teller)
      writer.flush()
      const own = new Teller(heir.near)
      const ownHandle = writer.handleOf(heir.near, own)
      if (!ownHandle) throw new Error('The socket can not be written to below its stream')
      writer.write(ownHandle, Buffer.from('mine'), own)
      writer.flush()
      heir.near.end()
      await once(heir.far, 'end')
      expect(heard()).toBe('mine')
    },
  )
})

/** A connection whose near end got the descriptor. */
async function openHeir(server: Server, fd: number): Promise<Pair> {
  for (let count = 0; count < 20; count++) {
    const { near, far } = await connectPair(server)
    if (fdOf(near) === fd) return { near, far }
    if (fdOf(far) === fd) return { near: far, far: near }
  }
  throw new Error('Nobody got the descriptor')
}

function fdOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle: Handle }
  return handle.fd
}

function textOf(socket: Socket): () => string {
  let text = ''
  socket.setEncoding('latin1').on('data', (data: string) => (text += data))
  socket.resume()
  return () => text
}

it('touches no handles that end in ways that it does not know', () => {
  const close = (): void => {}
  const prototype = { close }
  expect(Descriptors.guard(prototype)).toBeUndefined()
  expect(prototype.close).toBe(close)
})

it.skipIf(!hasNative)('refuses arguments that are none, and touches nothing', async () => {
  const { sendAll } = await import('@serverchannel/native')
  const fds = new Int32Array([-1])
  const which = new Uint8Array(1)
  const taken = new Int32Array(1)
  const pieces = [Buffer.from('x')]
  expect(sendAll(fds, pieces, which, 1, taken)).toBe(1)
  expect(taken[0]).toBe(0)
  expect(sendAll(fds, [], which, 1, taken)).toBe(1)
  const wrong: readonly (readonly unknown[])[] = [
    [],
    [fds, pieces, which, 2, taken],
    [new Uint8Array(4), piece, which, 1, taken],
    [fds, pieces, which, 1, new Int32Array(0)],
    [fds, pieces, fds, 1, taken],
    [fds, ['x'], which, 1, taken],
    [fds, { length: 1 }, which, 1, taken],
    [fds, Array.from({ length: 257 }, () => pieces[0]), which, 1, taken],
    [fds, pieces, which, 'one', taken],
  ]
  for (const given of wrong) expect(() => Reflect.apply(sendAll, undefined, given)).toThrow(TypeError)
})
