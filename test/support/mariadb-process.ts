import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise'

const START_MS_MAX = 30_000
const PROGRAMS = ['mariadbd', 'mariadb-install-db']

export const hasMariadb: boolean = PROGRAMS.every((program) => pathOf(program) !== undefined)

function pathOf(program: string): string | undefined {
  // Debian has the server where only root's shell looks.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path))
}

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

  /** @param settings flags of its own, such as `--innodb-flush-log-at-trx-commit=0` */
  static async start(settings: readonly string[] = []): Promise<MariadbProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'serverchannel-mariadb-'))
    const flags = ['--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=8M']
    execFileSync(
      pathOf('mariadb-install-db') ?? '',
      ['--no-defaults', `--datadir=${join(folder, 'data')}`, ...account(), ...flags],
      { stdio: 'ignore' },
    )
    const mariadb = new MariadbProcess(folder, await freePort(), settings)
    await mariadb.restart()
    return mariadb
  }

  /** A new database. @returns its address */
  async createDatabase(): Promise<string> {
    const name = `test_${++this.#databases}`
    await this.query(`CREATE DATABASE ${name} CHARACTER SET latin1`)
    return this.address(name)
  }

  address(database: string, user = 'root'): string {
    return `mysql://${user}@127.0.0.1:${this.port}/${database}`
  }

  /** Runs one statement on a connection of its own. */
  async query<Row extends object>(text: string, address: string = this.address('mysql')): Promise<Row[]> {
    const connection = await createConnection({ uri: address })
    try {
      const [rows] = await connection.query<(RowDataPacket & Row)[] | ResultSetHeader>(text)
      return Array.isArray(rows) ? rows : []
    } finally {
      connection.destroy()
    }
  }

  /** Starts it, where it does not run, and waits until it takes connections. */
  async restart(): Promise<void> {
    const folder = this.#folder
    const child = spawn(
      pathOf('mariadbd') ?? '',
      [
        '--no-defaults',
        ...account(),
        `--datadir=${join(folder, 'data')}`,
        `--socket=${join(folder, 'socket')}`,
        `--pid-file=${join(folder, 'pid')}`,
        '--bind-address=127.0.0.1',
        `--port=${this.port}`,
        '--innodb-buffer-pool-size=32M',
        '--innodb-log-file-size=8M',
        '--performance-schema=OFF',
        ...this.#settings,
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
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
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

/** Root has to say that it means it. */
function account(): string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : []
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
