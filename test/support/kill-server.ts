import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { ServerChannelOptions } from 'serverchannel'

const program = fileURLToPath(new URL('kill-server.mjs', import.meta.url))

/** What a process can be told: functions and stores of one's own can't be sent to it. */
export type PlainOptions = Omit<
  ServerChannelOptions,
  'store' | 'logger' | 'authenticate' | 'redirect' | 'clientMessagePolicy'
> & {
  readonly store: string
}

/** A server that is killed and comes back on the same port, any number of times; the next process is ready beforehand. */
export class KillableServer {
  readonly port: number
  readonly #options: PlainOptions
  #running: ChildProcess | undefined
  #next: LoadedProcess

  private constructor(options: PlainOptions, port: number) {
    this.#options = options
    this.port = port
    this.#next = new LoadedProcess()
  }

  static async start(options: PlainOptions): Promise<KillableServer> {
    const server = new KillableServer(options, await freePort())
    await server.start()
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Of the process that serves now. */
  get pid(): number {
    return this.#running?.pid ?? 0
  }

  /** All that its processes logged. */
  get log(): string {
    return LoadedProcess.logs.join('')
  }

  /** Ends it without a word, in the middle of whatever it does. */
  async kill(): Promise<void> {
    const running = this.#running
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    const exit = once(running, 'exit')
    running.kill('SIGKILL')
    await exit
  }

  async start(): Promise<void> {
    const { child } = await this.#next.loaded
    this.#running = child
    this.#next = new LoadedProcess()
    child.send({ options: this.#options, port: this.port })
    const [answer] = (await once(child, 'message')) as [{ readonly error?: string }]
    if (answer.error !== undefined) throw new Error(`The server did not start: ${answer.error}`)
  }

  /** `SIGSTOP`: it does nothing from here on, until `SIGCONT`. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#running?.kill(name)
  }

  async close(): Promise<void> {
    await this.kill()
    await this.#next.end()
  }
}

class LoadedProcess {
  /** The newest lines that any of them logged. */
  static readonly logs: string[] = []
  readonly child: ChildProcess
  readonly loaded: Promise<this>

  constructor() {
    this.child = fork(program, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.child.stderr?.on('data', (data: Buffer) => {
      LoadedProcess.logs.push(data.toString())
      if (LoadedProcess.logs.length > 200) LoadedProcess.logs.shift()
    })
    this.loaded = once(this.child, 'message').then(() => this)
  }

  async end(): Promise<void> {
    await this.loaded
    const exit = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await exit
  }
}

/**
 * A port that clients don't get for their own end: one that asks for a port of its own range while nobody listens there can
 * be connected with itself.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
