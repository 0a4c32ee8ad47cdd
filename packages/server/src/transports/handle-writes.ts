import { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** Who is told when what the kernel did not take at once has been taken. Not where the socket is destroyed before. */
export interface HandleWriter {
  onTaken(): void
}

/** What a write came to that was not done, because the socket's own `write` has to do it. */
export const NOT_WRITTEN = -1

/**
 * Writes to the handle of a socket, below its stream: a third of the time of `socket.write`, which makes a request and
 * settles a stream's state for each write. Internal to Node, so that it is used only where it has been proven
 * (`handle-writes-proof.ts`), and only by SocketWriter.
 */
export class HandleWrites {
  readonly #internals: Internals
  /** Taken for each write that the kernel takes whole, which leaves it as it was. */
  #request: WriteRequest

  private constructor(internals: Internals) {
    this.#internals = internals
    this.#request = createRequest(internals)
  }

  /** Undefined where this Node has not what is needed. */
  static find(): HandleWrites | undefined {
    const internals = findInternals()
    return internals && new HandleWrites(internals)
  }

  /**
   * Writes to a socket that is `writable`. An error destroys it, as one of `socket.write` does. The kernel takes what is
   * written here and by the socket in the order of the calls, as long as nothing waits in the stream; then, and for
   * sockets of other kinds, nothing is done.
   *
   * @returns the bytes of which `writer` is told later, 0 where all are taken, or `NOT_WRITTEN`
   */
  write(socket: Socket, data: Buffer, writer: HandleWriter): number {
    const { TCP, state, kLastWriteWasAsync } = this.#internals
    // Where somebody has put a `write` of his own there, he wants to see all of it.
    if (socket.writableLength > 0 || socket.writableCorked > 0 || socket.connecting || socket.write !== socketWrite) {
      return NOT_WRITTEN
    }
    const { _handle: handle } = socket as { readonly _handle?: Handle | null }
    // One of TLS takes plain bytes too, but by other rules.
    if (!handle || handle.constructor !== TCP) return NOT_WRITTEN
    const request = this.#request
    const error = handle.writeBuffer(request, data)
    if (error !== 0) {
      socket.destroy(createWriteError(error))
      return 0
    }
    if (state[kLastWriteWasAsync] === 0) return 0
    // The kernel took a part at most: the request goes with the rest.
    this.#request = createRequest(this.#internals)
    request.data = data
    request.socket = socket
    request.writer = writer
    return data.length
  }
}

const { write: socketWrite } = Socket.prototype as { readonly write: unknown }

interface Handle {
  writeBuffer(request: WriteRequest, data: Buffer): number
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  /** Keeps the bytes from being collected while the kernel has not taken them. */
  data: Buffer | undefined
  socket: Socket | undefined
  writer: HandleWriter | undefined
}

interface Internals {
  readonly WriteWrap: new () => WriteRequest
  readonly TCP: unknown
  /** Tells of the last write, at the index, whether its request is still under way. */
  readonly state: Int32Array
  readonly kLastWriteWasAsync: number
}

function findInternals(): Internals | undefined {
  const { binding, throwDeprecation } = process as {
    readonly binding?: (name: string) => Record<string, unknown>
    readonly throwDeprecation?: boolean
  }
  // `process.binding` warns under --pending-deprecation, and then that would end the process.
  if (typeof binding !== 'function' || throwDeprecation) return undefined
  try {
    const { WriteWrap, streamBaseState: state, kLastWriteWasAsync } = binding.call(process, 'stream_wrap')
    const { TCP } = binding.call(process, 'tcp_wrap')
    if (typeof WriteWrap !== 'function' || typeof TCP !== 'function') return undefined
    if (typeof TCP.prototype.writeBuffer !== 'function') return undefined
    if (!(state instanceof Int32Array) || typeof kLastWriteWasAsync !== 'number') return undefined
    return { WriteWrap: WriteWrap as Internals['WriteWrap'], TCP, state, kLastWriteWasAsync }
  } catch {
    // Where permissions are restricted.
    return undefined
  }
}

function createRequest({ WriteWrap }: Internals): WriteRequest {
  const request = new WriteWrap()
  request.oncomplete = onComplete
  request.data = undefined
  request.socket = undefined
  request.writer = undefined
  return request
}

function onComplete(this: WriteRequest, status: number): void {
  const { socket, writer } = this
  if (!socket || socket.destroyed) return
  if (status < 0) socket.destroy(createWriteError(status))
  else writer?.onTaken()
}

/** The same as of `socket.write`. */
function createWriteError(errno: number): Error {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`write ${code}`), { errno, code, syscall: 'write' })
}
