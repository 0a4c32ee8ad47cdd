import { Socket } from 'node:net'
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'

/** Who writes to a socket's handle, and is told what comes of it: nothing, where the kernel took all at once. */
export interface HandleWriter {
  /** Of its socket, for as long as it may be used: kept here for SocketWriter. */
  descriptor: number
  /** The kernel took a part at most: so many bytes wait, until `onTaken`. */
  onWaiting(bytes: number): void
  onTaken(): void
  /** To be treated as an error of `socket.write`. The socket may have been destroyed before. */
  onWriteFailed(error: Error): void
}

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

  /** Of the handles that are written to. */
  get prototype(): EndingHandle {
    return this.#internals.TCP.prototype
  }

  /** Undefined where this Node has not what is needed. */
  static find(): HandleWrites | undefined {
    const internals = findInternals()
    return internals && new HandleWrites(internals)
  }

  /**
   * The handle of a socket that may be written to below its stream, for as long as nobody writes to the stream: nothing
   * waits there, the socket is connected and not encrypted, and nobody has put a `write` of his own there, who wants to
   * see all of it. Undefined for any other.
   */
  handleOf(socket: Socket): Handle | undefined {
    if (socket.writableLength > 0 || socket.writableCorked > 0 || socket.connecting || socket.write !== socketWrite) {
      return undefined
    }
    const { _handle: handle } = socket as { readonly _handle?: Handle | null }
    // One of TLS takes plain bytes too, but by other rules.
    return handle && handle.constructor === this.#internals.TCP ? handle : undefined
  }

  /**
   * Writes. The writer is told of what the kernel did not take at once, and of an error. The kernel takes what is written
   * here and by the socket in the order of the calls.
   */
  write(handle: Handle, bytes: Buffer, writer: HandleWriter): void {
    const { state, kLastWriteWasAsync } = this.#internals
    // One whose end is over says nothing at all.
    const error = handle.writeBuffer(this.#request, bytes) ?? -constants.errno.EBADF
    if (error !== 0 || state[kLastWriteWasAsync] !== 0) this.#tell(error, bytes, writer)
  }

  #tell(error: number, bytes: Buffer, writer: HandleWriter): void {
    if (error !== 0) {
      writer.onWriteFailed(createWriteError(error))
      return
    }
    // The kernel took a part at most: the request goes with the rest.
    const request = this.#request
    this.#request = createRequest(this.#internals)
    request.data = bytes
    request.writer = writer
    writer.onWaiting(bytes.length)
  }
}

const { write: socketWrite } = Socket.prototype as { readonly write: unknown }

/** Of a TCP connection, below its socket. */
export interface Handle {
  /** Below 0: it has none. */
  readonly fd: number
  writeBuffer(request: WriteRequest, data: Buffer): number | undefined
}

/** How handles end; undefined where this Node has no such way. */
export interface EndingHandle {
  close?: HandleEnd
  reset?: HandleEnd
}

export type HandleEnd = (this: Handle, ...args: unknown[]) => unknown

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  /** Keeps the bytes from being collected while the kernel has not taken them. */
  data: Buffer | undefined
  writer: HandleWriter | undefined
}

interface Internals {
  readonly WriteWrap: new () => WriteRequest
  readonly TCP: { readonly prototype: EndingHandle }
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
  request.writer = undefined
  return request
}

function onComplete(this: WriteRequest, status: number): void {
  if (status < 0) this.writer?.onWriteFailed(createWriteError(status))
  else this.writer?.onTaken()
}

/** The same as of `socket.write`. */
function createWriteError(errno: number): Error {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`write ${code}`), { errno, code, syscall: 'write' })
}
