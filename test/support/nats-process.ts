import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './redis-process.ts'

const START_MS_MAX = 10_000

export const hasNats: boolean = spawnSync('nats-server', ['--version']).status === 0

/** A nats-server with JetStream of a test's own: a port, a folder, and it can be killed and started again on both. */
export class NatsProcess {
  readonly port: number
  readonly #folder: string
  readonly #configuration: string
  #child: ChildProcess | undefined

  private constructor(port: number, more: string) {
    this.port = port
    this.#folder = mkdtempSync(join(tmpdir(), 'serverchannel-nats-'))
    this.#configuration = join(this.#folder, 'nats.conf')
    writeFileSync(
      this.#configuration,
      `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${join(this.#folder, 'store')}" }\n${more}\n`,
    )
  }

  /** @param more lines of its configuration */
  static async start(more = ''): Promise<NatsProcess> {
    const nats = new NatsProcess(await freePort(), more)
    await nats.startAgain()
    return nats
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  async startAgain(): Promise<void> {
    const child = spawn('nats-server', ['-c', this.#configuration], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    let said = ''
    child.stderr?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)))
    const end = performance.now() + START_MS_MAX
    while (!said.includes('Server is ready') || !(await takesConnections(this.port))) {
      if (child.exitCode !== null || performance.now() > end) throw new Error(`nats-server did not start: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Gone without a word. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  /** Loses all that it keeps. To be called while it is down. */
  forget(): void {
    rmSync(join(this.#folder, 'store'), { recursive: true, force: true })
  }

  async close(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  })
  socket.destroy()
  return isOpen
}
