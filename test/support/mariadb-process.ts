import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'

const START_MS_MAX = 30_000

export const hasMariadb: boolean =
  spawnSync('mariadbd', ['--version']).status === 0 && spawnSync('mariadb-install-db', ['--help']).error === undefined

/** A MariaDB of a test's own: in a temporary folder, on a free port, which the test may kill and start again. */
export class MariadbProcess {
  readonly port: number
  readonly #folder: string
  readonly #settings: readonly string[]
  #child: ChildProcess | undefined
  #databases = 0

  private constructor(folder: string, port: number, settings: readonly string[]) {
    this.#folder = folder
    this.port = port
    this.#settings = settings
  }

  /** @param settings as its command takes them, such as `--innodb-flush-log-at-trx-commit=0` */
  static async start(settings: readonly string[] = []): Promise<MariadbProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'serverchannel-mariadb-'))
    const mariadb = new MariadbProcess(folder, await freePort(), settings)
    execFileSync(
      'mariadb-install-db',
      [
        ...['--no-defaults', `--datadir=${join(folder, 'data')}`, '--auth-root-authentication-method=normal'],
        ...['--skip-test-db', '--innodb-log-file-size=8M', ...asRoot],
      ],
      { stdio: 'ignore' },
    )
    await mariadb.restart()
    return mariadb
  }

  /** A new database. @returns its address */
  async createDatabase(): Promise<string> {
    const name = `test_${++this.#databases}`
    await this.query(`CREATE DATABASE ${name}`)
    return this.address(name)
  }

  address(database: string, scheme = 'mysql'): string {
    return `${scheme}://root@127.0.0.1:${this.port}/${database}`
  }

  /** Runs one statement on a connection of its own. */
  async query<Row extends object>(text: string, address: string = this.address('mysql')): Promise<Row[]> {
    const connection = await connectTo(address)
    try {
      const [rows] = await connection.query(text)
      return rows as Row[]
    } finally {
      await connection.end()
    }
  }

  /** Starts it, where it does not run, and waits until it takes connections. */
  async restart(): Promise<void> {
    const child = spawn(
      'mariadbd',
      [
        ...['--no-defaults', `--datadir=${join(this.#folder, 'data')}`, `--socket=${join(this.#folder, 'socket')}`],
        ...['--bind-address=127.0.0.1', `--port=${this.port}`, '--skip-name-resolve', '--max-connections=100'],
        ...['--innodb-buffer-pool-size=32M', '--performance-schema=OFF', ...asRoot, ...this.#settings],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    let said = ''
    child.stderr.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-4000)
    })
    this.#child = child
    const end = performance.now() + START_MS_MAX
    while (performance.now() < end && child.exitCode === null) {
      try {
        await this.query('SELECT 1')
        return
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
    }
    throw new Error(`MariaDB did not start: ${said}`)
  }

  /** Ends it at once: as if the machine's power was cut, but for what the kernel has. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  async close(): Promise<void> {
    // In good order it would write what is thrown away next.
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Without being told it does not run as root. */
const asRoot: readonly string[] = process.getuid?.() === 0 ? ['--user=root'] : []

export async function connectTo(address: string): Promise<Connection> {
  const connection = await createConnection({ uri: address, connectTimeout: 5000 })
  connection.on('error', () => {})
  return connection
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
