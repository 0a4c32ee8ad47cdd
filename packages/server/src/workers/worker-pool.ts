import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Logger } from 'pino'
import type { Channel } from '../channel/channel.ts'
import type { Clock, Timer } from '../channel/clock.ts'
import type { Hub } from '../hub/hub.ts'
import type { ServedConnection } from '../hub/served-connection.ts'
import type { DirectWrites, Limits } from '../options.ts'
import type { SharedLog } from '../stores/shared-log.ts'
import type { HandedClient, HandOver } from '../transports/hand-over.ts'
import { WorkerProcess } from './worker-process.ts'

const BEAT_MS = 1000
const START_MS_MAX = 30_000
const RESTART_MS_MIN = 100
const RESTART_MS_MAX = 5000
/** One that lived for so long is started again at once. */
const LIFE_MS_GOOD = 10_000
/** What workers may take beyond `closeTimeoutMs` to close their connections. */
const GRACE_MS = 2000

export interface WorkerPoolParts {
  readonly count: number
  readonly log: SharedLog
  readonly channel: Channel
  readonly limits: Limits
  readonly directWrites: DirectWrites
  readonly clock: Clock
  readonly logger: Logger
}

/** The workers of a server: processes that serve the channel's WebSockets. Those that die are started again. */
export class WorkerPool implements HandOver {
  readonly #parts: WorkerPoolParts
  readonly #workers = new Set<WorkerProcess>()
  readonly #timers = new Set<Timer>()
  readonly #beat: Timer
  #methods: Hub | undefined
  #isClosing = false
  /** Exits in a row of workers that did not live long. */
  #failures = 0
  #onChange: () => void = () => {}
  #lastReason = ''

  constructor(parts: WorkerPoolParts) {
    this.#parts = parts
    this.#beat = parts.clock.every(BEAT_MS, () => {
      const now = parts.clock.now()
      for (const worker of this.#workers) worker.tick(now)
    })
  }

  /** Process ids of the workers that take clients. */
  get pids(): readonly number[] {
    return [...this.#workers].flatMap(({ pid, isReady }) => (pid !== undefined && isReady ? [pid] : []))
  }

  /**
   * Starts the workers, and ends when all of them take clients.
   *
   * @param methods what clients call
   * @throws Error where a worker ends before, or takes too long
   */
  async start(methods: Hub): Promise<void> {
    this.#methods = methods
    for (let i = 0; i < this.#parts.count; i++) this.#startOne(methods)
    const end = this.#parts.clock.now() + START_MS_MAX
    while (!this.#areAllReady()) {
      await this.#change(end - this.#parts.clock.now())
      if (this.#lastReason === '' && this.#parts.clock.now() < end) continue
      const reason = this.#lastReason || `it was not ready in ${START_MS_MAX} ms`
      await this.close()
      throw new Error(`A worker did not start: ${reason}. What it said stands on standard error.`)
    }
  }

  take(socket: Duplex, client: HandedClient): ServedConnection | undefined {
    // What is encrypted is encrypted by this process.
    if (!(socket instanceof Socket) || socket instanceof TLSSocket || socket.remoteFamily === undefined)
      return undefined
    let chosen: WorkerProcess | undefined
    for (const worker of this.#workers) {
      if (worker.isReady && (!chosen || worker.connectionCount < chosen.connectionCount)) chosen = worker
    }
    return chosen?.take(socket, client)
  }

  /** Kills what has not closed its connections in time. To be called when they are told to close. */
  closing(): void {
    this.#isClosing = true
    const timer = this.#parts.clock.after(this.#parts.limits.closeTimeoutMs + GRACE_MS, () => {
      for (const worker of this.#workers) worker.kill()
    })
    this.#timers.add(timer)
  }

  /** Ends the workers, whose connections are gone. Idempotent. */
  async close(): Promise<void> {
    this.#isClosing = true
    const end = this.#parts.clock.now() + GRACE_MS
    for (const worker of this.#workers) worker.end()
    while (this.#workers.size > 0) {
      if (this.#parts.clock.now() >= end) for (const worker of this.#workers) worker.kill()
      await this.#change(end - this.#parts.clock.now())
    }
    this.#beat.stop()
    for (const timer of this.#timers) timer.stop()
  }

  #areAllReady(): boolean {
    return this.#workers.size === this.#parts.count && [...this.#workers].every(({ isReady }) => isReady)
  }

  #startOne(methods: Hub): void {
    const { log, channel, limits, directWrites, clock } = this.#parts
    const startedAt = clock.now()
    const worker = new WorkerProcess({
      log,
      channel,
      methods,
      limits,
      directWrites,
      clock,
      onReady: () => this.#onChange(),
      onExit: (gone, reason) => {
        this.#workers.delete(gone)
        this.#lastReason = reason
        this.#onChange()
        if (!this.#isClosing) this.#restart(gone.pid, reason, clock.now() - startedAt)
      },
    })
    this.#workers.add(worker)
  }

  #restart(pid: number | undefined, reason: string, livedMs: number): void {
    this.#failures = livedMs >= LIFE_MS_GOOD ? 0 : this.#failures + 1
    const delayMs = Math.min(RESTART_MS_MAX, RESTART_MS_MIN * 2 ** Math.max(0, this.#failures - 1))
    this.#parts.logger.error(
      { pid, reason, delayMs },
      'A worker is gone. Its clients come back to others; it is started again',
    )
    const timer = this.#parts.clock.after(delayMs, () => {
      this.#timers.delete(timer)
      if (!this.#isClosing && this.#methods) this.#startOne(this.#methods)
    })
    this.#timers.add(timer)
  }

  /** Ends when something has become of a worker, or after so long. */
  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.unref()
        clearTimeout(timer)
        resolve()
      }
      // It keeps the process alive: whoever waits for the workers waits here.
      const timer = setTimeout(done, Math.max(1, timeoutMs))
      this.#onChange = done
    })
  }
}
