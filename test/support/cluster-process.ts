import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { MemoryStore } from '../../packages/server/src/stores/memory.ts'
import { SharedLog } from '../../packages/server/src/stores/shared-log.ts'
import { systemClock } from '../../packages/server/src/system-clock.ts'
import { Link } from '../../packages/server/src/workers/link.ts'
import { StoreHost } from '../../packages/server/src/workers/store-host.ts'
import type { StoreNotice, StoreRequest } from '../../packages/server/src/workers/store-messages.ts'
import { Follower, UNBOUNDED } from '../../packages/server/test/store-contract.ts'

const program = fileURLToPath(new URL('cluster-node.mjs', import.meta.url))

/** A log in this process that other processes have open over TCP. */
export class LogServer {
  readonly log: SharedLog = new SharedLog(new MemoryStore({ ...UNBOUNDED, epoch: 'shared' }))
  readonly #server: Server = createServer((socket) => this.#serve(socket))
  readonly #sockets = new Set<Socket>()

  async listen(): Promise<number> {
    // It stays open when the last node closes it.
    await this.log.view().open(new Follower())
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    const host: StoreHost = new StoreHost({
      log: this.log,
      clock: systemClock,
      onLost: () => socket.destroy(),
      link: new Link<StoreNotice, StoreRequest>(socket, {
        onMessage: (request) => host.onMessage(request),
        onDrain: () => host.onDrain(),
        onClose: () => void host.close(),
      }),
    })
  }
}

export interface ClusterNodeOptions {
  readonly name: string
  readonly port: number
  /** An engine's address. Left out: the log is a {@link LogServer}'s. */
  readonly store?: string
  readonly logPort?: number
  readonly workers: number
}

/** A node that can be ended and started again. */
export class ClusterNode {
  readonly options: ClusterNodeOptions
  #child: ChildProcess | undefined

  constructor(options: ClusterNodeOptions) {
    this.options = options
  }

  get url(): string {
    return `http://127.0.0.1:${this.options.port}`
  }

  get isThere(): boolean {
    return this.#child !== undefined
  }

  async start(): Promise<void> {
    const { name, port, store, logPort, workers } = this.options
    const child = fork(program, {
      execArgv: [],
      env: {
        ...process.env,
        ...(store === undefined ? { LOG_PORT: String(logPort) } : { NODE_STORE: store }),
        NODE_NAME: name,
        NODE_PORT: String(port),
        NODE_SECRET: 'a secret that the nodes of the tests share',
        NODE_WORKERS: String(workers),
      },
    })
    await Promise.race([once(child, 'message'), once(child, 'exit').then(() => Promise.reject(new Error('It ended')))])
    this.#child = child
  }

  async state(): Promise<{ readonly nodeCount: number; readonly connectionCount: number }> {
    this.#child?.send('state')
    const [state] = (await once(this.#child as ChildProcess, 'message')) as [
      { nodeCount: number; connectionCount: number },
    ]
    return state
  }

  /** Tells it to end, and ends when it has. @returns how long that took, ms */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    const child = this.#child
    if (!child) return 0
    const startedAt = performance.now()
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
    this.#child = undefined
    return performance.now() - startedAt
  }
}
