import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Chunk } from '../src/channel/chunk.ts'
import { resolveLimits } from '../src/options.ts'
import { FrameReaders } from '../src/transports/frame-reader.ts'
import { type HandleWriter, HandleWrites } from '../src/transports/handle-writes.ts'
import { provenHandleWrites } from '../src/transports/handle-writes-proof.ts'
import { SocketWriter } from '../src/transports/socket-writer.ts'
import { WebSocketTransport } from '../src/transports/websocket-transport.ts'
import { until } from './until.ts'

const PIECE_BYTES = 100_000

/** Both ends of a TCP connection. The far one does not read yet. */
async function openPair(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown]
  onTestFinished(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return { near, far }
}

/** Unlike `once` of Node this does not fail where an error comes first. */
function closedOf(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve))
}

/** Destroys the socket with what the kernel says is wrong, as transports do. */
class Teller implements HandleWriter {
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

async function open(): Promise<HandleWrites> {
  const writes = await provenHandleWrites()
  if (!writes) throw new Error('This Node does not write to handles as it has to')
  return writes
}

function piece(number: number): Buffer {
  return Buffer.alloc(PIECE_BYTES, `${number},`)
}

function write(writes: HandleWrites, near: Socket, bytes: Buffer, teller: Teller): void {
  const handle = writes.handleOf(near)
  if (!handle) throw new Error('The socket can not be written to below its stream')
  writes.writeAll([handle], [bytes], [teller])
}

/** Writes until the kernel takes no more. @returns how many pieces that were */
function fill(writes: HandleWrites, near: Socket, teller: Teller, start = 0): number {
  for (let number = start; number < 1000; number++) {
    write(writes, near, piece(number), teller)
    if (teller.waitingBytes > 0) return number + 1
  }
  throw new Error('The kernel takes everything')
}

describe('writing to the handles of sockets', () => {
  it('is proven in this Node, which the engines of the package name', async () => {
    await expect(new SocketWriter('auto').isDirect).resolves.toBe(true)
    await expect(new SocketWriter('off').isDirect).resolves.toBe(false)
  })

  it('keeps all bytes and their order, however often the reader stops', async () => {
    const writes = await open()
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
    const writes = await open()
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
    const writes = await open()
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
    const writes = await open()
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
    const writes = await open()
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
    const writes = await open()
    const [gone, there] = [await openPair(), await openPair()]
    const handles = [gone.near, there.near].map((socket) => writes.handleOf(socket))
    const failed: unknown[] = []
    const teller = { onWaiting: () => {}, onTaken: () => {}, onWriteFailed: (error: Error) => failed.push(error) }
    gone.near.destroy()
    const bytes = Buffer.from('to all')
    writes.writeAll(
      handles.filter((handle) => handle !== undefined),
      [bytes, bytes],
      [teller, teller],
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

describe('a writer of sockets', () => {
  it('writes what waits when the code of the turn has run, in order, and a lot of it before', async () => {
    const writer = new SocketWriter('auto')
    await writer.isDirect
    const { near, far } = await openPair()
    const handle = writer.handleOf(near)
    if (!handle) throw new Error('The socket can not be written to below its stream')
    const teller = new Teller(near)
    const { turn } = writer
    writer.write(handle, Buffer.from('first '), teller)
    expect(writer.turn).toBe(turn)
    expect(near.bytesWritten).toBe(0)
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
    const writer = new SocketWriter('auto')
    await writer.isDirect
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
})
