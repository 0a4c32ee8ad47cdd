import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HandleWrites, NOT_WRITTEN } from '../src/transports/handle-writes.ts'
import { provenHandleWrites } from '../src/transports/handle-writes-proof.ts'
import { SocketWriter } from '../src/transports/socket-writer.ts'
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

function countTaken(): { readonly taken: number; onTaken(): void } {
  let taken = 0
  return {
    get taken() {
      return taken
    },
    onTaken() {
      taken++
    },
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

/** Writes until the kernel takes no more. @returns how many pieces that were */
function fill(writes: HandleWrites, near: Socket, writer: { onTaken(): void }, start = 0): number {
  for (let number = start; number < 1000; number++) {
    if (writes.write(near, piece(number), writer) > 0) return number + 1
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
      const writer = countTaken()
      far.pause()
      count = fill(writes, near, writer, count)
      expect(writer.taken).toBe(0)
      // What the stream writes now, as ws does pongs, goes behind it.
      near.write(piece(count++))
      expect(writes.write(near, piece(count), writer)).toBe(NOT_WRITTEN)
      far.resume()
      await until(() => near.writableLength === 0, 'the kernel has taken all')
      expect(writer.taken).toBe(1)
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
    const writer = countTaken()
    fill(writes, near, writer)
    far.resetAndDestroy()
    await closed
    expect(errors).toHaveLength(1)
    expect(['ECONNRESET', 'EPIPE']).toContain(errors[0])
    expect(writer.taken).toBe(0)
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
    expect(writes.write(near, piece(0), countTaken())).toBe(0)
    await closed
    expect(errors).toMatchObject([{ code: 'EPIPE', syscall: 'write', message: 'write EPIPE' }])
  })

  it('says nothing more of a socket that was destroyed in the middle', async () => {
    const writes = await open()
    const { near } = await openPair()
    const writer = countTaken()
    fill(writes, near, writer)
    const closed = closedOf(near)
    near.destroy()
    await closed
    await new Promise(setImmediate)
    expect(writer.taken).toBe(0)
  })

  it('leaves to the stream what is corked, connecting, encrypted, or watched by a `write` of somebody else', async () => {
    const writes = await open()
    const writer = countTaken()
    const { near } = await openPair()
    near.cork()
    expect(writes.write(near, piece(0), writer)).toBe(NOT_WRITTEN)
    near.uncork()
    expect(writes.write(near, Buffer.from('x'), writer)).toBe(0)
    const connecting = connect(near.remotePort ?? 0, '127.0.0.1')
    onTestFinished(() => void connecting.destroy())
    expect(writes.write(connecting, piece(0), writer)).toBe(NOT_WRITTEN)
    expect(writes.write(new Socket(), piece(0), writer)).toBe(NOT_WRITTEN)
    const encrypted = new TLSSocket((await openPair()).near)
    onTestFinished(() => void encrypted.destroy())
    expect(encrypted.writableLength).toBe(0)
    expect(writes.write(encrypted, piece(0), writer)).toBe(NOT_WRITTEN)
    near.write = near.write.bind(near)
    expect(writes.write(near, piece(0), writer)).toBe(NOT_WRITTEN)
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
