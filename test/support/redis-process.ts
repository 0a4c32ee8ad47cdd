import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const START_MS_MAX = 10_000

export const hasRedis: boolean = spawnSync('redis-server', ['--version']).status === 0

export interface RedisSettings {
  /** Default: no, nothing is kept. */
  readonly appendOnly?: boolean
  readonly appendSync?: 'always' | 'everysec' | 'no'
  /** Whose replica it is at first. */
  readonly masterPort?: number
  readonly more?: readonly string[]
}

/** A Redis of a test's own: a port, a folder, and it can be killed and started again on both. */
export class RedisProcess {
  readonly port: number
  readonly #settings: RedisSettings
  readonly #folder: string
  #child: ChildProcess | undefined

  private constructor(port: number, settings: RedisSettings) {
    this.port = port
    this.#settings = settings
    this.#folder = mkdtempSync(join(tmpdir(), 'serverchannel-redis-'))
  }

  static async start(settings: RedisSettings = {}): Promise<RedisProcess> {
    const redis = new RedisProcess(await freePort(), settings)
    await redis.startAgain()
    return redis
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async startAgain(): Promise<void> {
    const { appendOnly = false, appendSync = 'everysec', masterPort, more = [] } = this.#settings
    const child = spawn(
      'redis-server',
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''],
        ...['--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', appendSync, '--daemonize', 'no'],
        ...['--repl-diskless-sync-delay', '0'],
        ...(masterPort === undefined ? [] : ['--replicaof', `127.0.0.1 ${masterPort}`]),
        ...more,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    this.#child = child
    let said = ''
    child.stdout?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)))
    const end = performance.now() + START_MS_MAX
    while (!(await answers(this.port))) {
      if (child.exitCode !== null || performance.now() > end) throw new Error(`redis-server did not start: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Gone without a word. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Runs a command with the tool that comes with Redis. */
  cli(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync('redis-cli', ['-p', String(this.port), ...args], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`redis-cli ${args.join(' ')}: ${stderr}`)
    return stdout.trim()
  }

  /** Whether a replica has all that this one has. (`WAIT` on a new connection asks for nothing, and gets it.) */
  isReplicated(): boolean {
    const info = this.cli('INFO', 'replication')
    const offset = /^master_repl_offset:(\d+)/m.exec(info)?.[1]
    return offset !== undefined && new RegExp(`^slave0:.*state=online,offset=${offset},`, 'm').test(info)
  }

  /** Also while it closes its connections, as it does when it becomes one: not yet. */
  isMaster(): boolean {
    try {
      return this.cli('ROLE').startsWith('master')
    } catch {
      return false
    }
  }

  async close(): Promise<void> {
    this.#child?.kill('SIGCONT')
    await this.#end('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
}

/** Whether a Redis takes commands there, its data loaded. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const answer = await new Promise<string>((resolve) => {
    socket.once('error', () => resolve(''))
    socket.once('data', (data: Buffer) => resolve(data.toString()))
    socket.once('close', () => resolve(''))
    socket.once('connect', () => socket.write('PING\r\n'))
  })
  socket.destroy()
  return answer.startsWith('+PONG')
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
