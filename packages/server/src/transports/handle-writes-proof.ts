import { createHash, type Hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Descriptors } from './descriptors.ts'
import type { HandleWriter, HandleWrites } from './handle-writes.ts'
import type { WriteBatch } from './write-batch.ts'

const PROOF_MS_MAX = 5000
const PIECE_BYTES = 65_536
/** More than any kernel holds of one connection whose other end doesn't read. */
const PIECES_MAX = 1024

/** A way below the streams of sockets that does in this Node what it has to. */
export interface ProvenWrites {
  readonly handleWrites: HandleWrites
  /** Given where descriptors are written to. */
  readonly descriptors?: Descriptors
  createBatch(): WriteBatch
}

/** Whether these writes do in this Node what they have to, on a connection of this process to itself. */
export async function proves(writes: ProvenWrites): Promise<boolean> {
  const server = createServer({ pauseOnConnect: true }).unref()
  const signal = AbortSignal.timeout(PROOF_MS_MAX)
  const sockets: Socket[] = []
  try {
    const [near, far] = await openPair(server, sockets, signal)
    return await arrivesWhole(writes, near, far, signal)
  } catch {
    // No loopback, no permission, or too slow: then it is not proven.
    return false
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

/** Both ends of a connection of this process to itself. */
async function openPair(server: Server, sockets: Socket[], signal: AbortSignal): Promise<[Socket, Socket]> {
  server.on('error', () => {})
  server.on('connection', (socket) => keep(socket, sockets))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening', { signal })
  const near = keep(connect((server.address() as AddressInfo).port, '127.0.0.1'), sockets)
  const accepted = once(server, 'connection', { signal })
  const [[far]] = await Promise.all([accepted, once(near, 'connect', { signal })])
  if (far.remotePort !== near.localPort) throw new Error('Somebody else has connected.')
  return [near, far]
}

/** The process may end before. */
function keep(socket: Socket, sockets: Socket[]): Socket {
  sockets.push(socket)
  return socket.unref().on('error', () => {})
}

/**
 * Whether all that is written arrives, in order: what the kernel takes at once, what it takes a part of, and what the
 * stream writes behind that; and whether its writer is told of the end of the one that had to wait.
 */
async function arrivesWhole(writes: ProvenWrites, near: Socket, far: Socket, signal: AbortSignal): Promise<boolean> {
  const { handleWrites, descriptors } = writes
  const sent = createHash('sha256')
  const handle = handleWrites.handleOf(near)
  if (!handle) return false
  const told = { waitingBytes: 0, isTaken: false, hasFailed: false }
  const writer: HandleWriter = {
    descriptor: -1,
    onWaiting: (bytes) => void (told.waitingBytes = bytes),
    onTaken: () => void (told.isTaken = true),
    onWriteFailed: () => void (told.hasFailed = true),
  }
  if (descriptors) writer.descriptor = descriptors.own(handle, writer)
  const batch = writes.createBatch()
  const write = (data: Buffer): void => {
    batch.add(handle, data, writer)
    batch.writeAll()
  }
  write(addTo(sent, randomBytes(100)))
  if (told.waitingBytes > 0) return false
  const piece = randomBytes(PIECE_BYTES)
  for (let count = 0; told.waitingBytes === 0 && !told.hasFailed && count < PIECES_MAX; count++) {
    // What the kernel has taken is free to be written over.
    piece.writeUInt32BE(count)
    write(addTo(sent, piece))
  }
  if (told.waitingBytes === 0 || told.waitingBytes > PIECE_BYTES || told.isTaken || told.hasFailed) return false
  near.end(addTo(sent, randomBytes(PIECE_BYTES)))
  if (handleWrites.handleOf(near)) return false
  const received = createHash('sha256')
  far.on('data', (data: Buffer) => received.update(data)).resume()
  await once(far, 'end', { signal })
  if (!told.isTaken || told.hasFailed || received.digest('hex') !== sent.digest('hex')) return false
  // A handle that is closed says so, and its descriptor is nobody's.
  near.destroy()
  if (descriptors?.isOwn(writer.descriptor, writer)) return false
  write(randomBytes(1))
  return told.hasFailed
}

function addTo(hash: Hash, data: Buffer): Buffer {
  hash.update(data)
  return data
}
