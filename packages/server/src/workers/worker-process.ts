import { type ChildProcess, fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Channel } from '../channel/channel.ts'
import { ChannelError } from '../channel/channel-error.ts'
import type { Clock } from '../channel/clock.ts'
import type { Hub } from '../hub/hub.ts'
import type { DirectWrites, Limits } from '../options.ts'
import type { SharedLog } from '../stores/shared-log.ts'
import type { HandedClient } from '../transports/hand-over.ts'
import { HandedConnection, type HandedConnectionParts } from './handed-connection.ts'
import { Link } from './link.ts'
import type { HandedSocket, ToServer, ToWorker } from './messages.ts'
import { closePendingHandle } from './pending-handle.ts'
import { StoreHost } from './store-host.ts'

export interface WorkerProcessParts {
  readonly log: SharedLog
  readonly channel: Channel
  readonly methods: Hub
  readonly limits: Limits
  readonly directWrites: DirectWrites
  readonly clock: Clock
  /** It takes sockets now. */
  readonly onReady: (worker: WorkerProcess) => void
  /** It is gone, with all its connections. Called once. */
  readonly onExit: (worker: WorkerProcess, reason: string) => void
}

interface WaitingSocket {
  readonly socket: Socket
  readonly client: HandedClient
  readonly connection: HandedConnection
}

/** The same from `src` and from `dist`. */
const ENTRY = fileURLToPath(new URL('../../bin/worker.js', import.meta.url))
const LINK_INDEX = 4
/** A worker that says nothing for so long does nothing for its clients either. */
const SILENT_MS_MAX = 30_000

/** One worker, as the server's process has it. */
export class WorkerProcess {
  readonly #parts: WorkerProcessParts
  readonly #child: ChildProcess
  readonly #link: Link<ToWorker, ToServer>
  readonly #host: StoreHost
  readonly #connections = new Map<number, HandedConnection>()
  /**
   * Sockets go one at a time. Node would queue them too, but takes them from us when it does, and forgets them where the
   * other process ends: their clients would wait for ever.
   */
  readonly #waiting: WaitingSocket[] = []
  #isHanding = false
  readonly #connectionParts: HandedConnectionParts
  #isReady = false
  #isGone = false
  #number = 0
  #heardAt: number

  constructor(parts: WorkerProcessParts) {
    const { log, channel, methods, limits, directWrites, clock } = parts
    this.#parts = parts
    this.#heardAt = clock.now()
    const child = fork(ENTRY, [], {
      execArgv: [],
      serialization: 'advanced',
      // What it has to say it says through the pipe.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    })
    this.#child = child
    const pipe = child.stdio[LINK_INDEX] as Duplex & Socket
    this.#link = new Link(pipe, {
      onMessage: (message) => this.#take(message),
      onDrain: () => this.#host.onDrain(),
      // Its end comes with its exit.
      onClose: () => this.kill(),
    })
    this.#host = new StoreHost({ log, clock, link: this.#link, onLost: () => this.kill() })
    this.#connectionParts = { channel, methods, send: (message) => this.#send(message) }
    child.once('error', (error) => this.#exited(error.message))
    child.once('exit', (code, signal) =>
      this.#exited(signal ? `it was ended by ${signal}` : `its exit code is ${code}`),
    )
    // Like all else of a channel but its servers, it keeps no process alive.
    child.unref()
    child.channel?.unref()
    pipe.unref()
    this.#link.send({ kind: 'start', limits, directWrites })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get isReady(): boolean {
    return this.#isReady && !this.#isGone
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Gives it a socket with its client. */
  take(socket: Socket, client: HandedClient): HandedConnection {
    const connection = new HandedConnection(++this.#number, client, this.#connectionParts)
    this.#connections.set(connection.number, connection)
    this.#waiting.push({ socket, client, connection })
    this.#handNext()
    return connection
  }

  /** To be called about once a second. */
  tick(now: number): void {
    if (now - this.#heardAt > SILENT_MS_MAX) this.kill()
  }

  /** Asks it to end. */
  end(): void {
    this.#link.send({ kind: 'exit' })
  }

  kill(): void {
    if (!this.#isGone) this.#child.kill('SIGKILL')
  }

  #handNext(): void {
    while (!this.#isHanding) {
      const next = this.#waiting.shift()
      if (!next) return
      const { socket, client, connection } = next
      if (socket.destroyed) {
        this.#connections.delete(connection.number)
        connection.lost(undefined)
        continue
      }
      const { id, identity, position, owner, request, head } = client
      const handed: HandedSocket = {
        connection: connection.number,
        id,
        identity,
        position,
        owner,
        url: request.url ?? '/',
        headers: request.headers,
        head: joinRead(head, socket),
      }
      this.#isHanding = true
      // Where it can't be sent any more the worker is gone, and so will be its connections.
      this.#child.send(handed, socket, (error) => {
        if (error && 'code' in error && error.code === 'ERR_IPC_CHANNEL_CLOSED') socket.destroy()
      })
    }
  }

  #send(message: ToWorker): void {
    // The entries of this turn were told before.
    this.#host.flush()
    this.#link.send(message)
  }

  #take(message: ToServer): void {
    this.#heardAt = this.#parts.clock.now()
    if ('connection' in message) {
      if (message.kind === 'arrived') {
        this.#isHanding = false
        this.#handNext()
        return
      }
      this.#connections.get(message.connection)?.onMessage(message)
      if (message.kind === 'gone') this.#connections.delete(message.connection)
    } else if (message.kind === 'ready') {
      this.#isReady = true
      this.#parts.onReady(this)
    } else if (message.kind !== 'alive') this.#host.onMessage(message)
  }

  #exited(reason: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#link.abort()
    void this.#host.close()
    const error = new ChannelError('connection_lost', 'The worker that had the connection is gone.')
    closePendingHandle(this.#child)
    for (const { socket } of this.#waiting.splice(0)) socket.destroy()
    for (const connection of this.#connections.values()) connection.lost(error)
    this.#connections.clear()
    this.#parts.onExit(this, reason)
  }
}

/** What came behind the request, and what was read of the socket since. */
function joinRead(head: Buffer, socket: Socket): Buffer {
  const parts = [head]
  for (;;) {
    const data: Buffer | null = socket.read()
    if (data === null) return parts.length === 1 ? head : Buffer.concat(parts)
    parts.push(data)
  }
}
