import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'

const DEBIAN = '/usr/lib/postgresql'
const START_MS_MAX = 30_000
/** PostgreSQL does not run as root. */
const ACCOUNTS = ['postgres', 'nobody']

/** Where PostgreSQL's programs are, of another version with `POSTGRES_BIN`; undefined: it is not installed. */
const programs: string | undefined = process.env['POSTGRES_BIN'] ?? installedPrograms()

function installedPrograms(): string | undefined {
  if (!existsSync(DEBIAN)) return undefined
  return readdirSync(DEBIAN)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'initdb')))
}

export const hasPostgres: boolean = programs !== undefined

/** A PostgreSQL of a test's own: in a temporary folder, on a free port, which the test may kill and start again. */
export class PostgresProcess {
  readonly port: number
  readonly #folder: string
  readonly #account: { readonly uid: number; readonly gid: number } | undefined
  #child: ChildProcess | undefined
  #databases = 0

  private constructor(
    folder: string,
    port: number,
    account: { readonly uid: number; readonly gid: number } | undefined,
  ) {
    this.#folder = folder
    this.port = port
    this.#account = account
  }

  /** @param settings lines of its configuration, such as `fsync = off` */
  static async start(settings: readonly string[] = []): Promise<PostgresProcess> {
    return await PostgresProcess.#make(settings, (data, run) =>
      run('initdb', ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']),
    )
  }

  /**
   * A standby of this one, which has the name `standby` in `synchronous_standby_names` and follows it until it is promoted.
   *
   * @param settings lines of its configuration, after those of this one
   */
  async startStandby(settings: readonly string[] = []): Promise<PostgresProcess> {
    const primary = `host=127.0.0.1 port=${this.port} user=postgres application_name=standby`
    return await PostgresProcess.#make(settings, (data, run) =>
      run('pg_basebackup', ['-D', data, '-d', primary, '-R', '-X', 'stream', '-c', 'fast', '--no-sync']),
    )
  }

  static async #make(
    settings: readonly string[],
    fill: (data: string, run: (program: string, args: readonly string[]) => void) => void,
  ): Promise<PostgresProcess> {
    const bin = programs
    if (bin === undefined) throw new Error('PostgreSQL is not installed.')
    const folder = mkdtempSync(join(tmpdir(), 'serverchannel-postgres-'))
    const account = process.getuid?.() === 0 ? accountOf(ACCOUNTS) : undefined
    if (account) chownSync(folder, account.uid, account.gid)
    const data = join(folder, 'data')
    fill(data, (program, args) => execFileSync(join(bin, program), args, { stdio: 'ignore', cwd: folder, ...account }))
    mkdirSync(join(folder, 'socket'))
    if (account) chownSync(join(folder, 'socket'), account.uid, account.gid)
    const port = await freePort()
    const own = [
      "listen_addresses = '127.0.0.1'",
      `port = ${port}`,
      `unix_socket_directories = '${join(folder, 'socket')}'`,
      'shared_buffers = 64MB',
      'max_connections = 100',
      // Else a start after a kill waits for the disk once for each of a thousand files.
      ...(majorVersion() >= 14 ? ['recovery_init_sync_method = syncfs'] : []),
      ...settings,
    ]
    appendFileSync(join(data, 'postgresql.conf'), `${own.join('\n')}\n`)
    const postgres = new PostgresProcess(folder, port, account)
    await postgres.restart()
    return postgres
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** A new database. @returns its address */
  async createDatabase(): Promise<string> {
    // A promoted standby has those of its primary.
    const name = `test_${this.port}_${++this.#databases}`
    await this.query(`CREATE DATABASE ${name}`)
    return this.address(name)
  }

  address(database: string, port: number = this.port): string {
    return `postgres://postgres@127.0.0.1:${port}/${database}`
  }

  /** Runs one statement on a connection of its own. */
  async query<Row extends object>(text: string, address: string = this.address('postgres')): Promise<Row[]> {
    const client = new Client({ connectionString: address })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query<Row>(text)).rows
    } finally {
      await client.end()
    }
  }

  /** Starts it, where it does not run, and waits until it takes connections. */
  async restart(): Promise<void> {
    if (programs === undefined) throw new Error('PostgreSQL is not installed.')
    const child = spawn(join(programs, 'postgres'), ['-D', join(this.#folder, 'data')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: this.#folder,
      ...this.#account,
    })
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
    throw new Error(`PostgreSQL did not start: ${said}`)
  }

  /** Waits until the statement gives a row. @throws Error that says what it waited for, after a while */
  async untilRow(text: string, what: string): Promise<void> {
    const end = performance.now() + START_MS_MAX
    while ((await this.query(text)).length === 0) {
      if (performance.now() > end) throw new Error(`Waited ${START_MS_MAX} ms in vain until ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** Makes a standby a primary. */
  async promote(): Promise<void> {
    await this.query('SELECT pg_promote()')
  }

  /** Reads its configuration anew, with this line in it. */
  async set(setting: string): Promise<void> {
    await this.query(`ALTER SYSTEM SET ${setting}`)
    await this.query('SELECT pg_reload_conf()')
  }

  /** Ends all of its processes at once: as if the machine's power was cut, but for what the kernel has. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    // The children notice that their parent is gone, and end; a new start waits until the last one has.
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' })
    for (const pid of [String(child.pid), ...children.split('\n')]) {
      try {
        if (pid.trim() !== '') process.kill(Number(pid), 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
    await exit
  }

  async close(): Promise<void> {
    // In good order it would write what is thrown away next.
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function majorVersion(): number {
  return Number(
    /PostgreSQL\) (\d+)/.exec(execFileSync(join(programs ?? '', 'postgres'), ['--version'], { encoding: 'utf8' }))?.[1],
  )
}

function accountOf(names: readonly string[]): { readonly uid: number; readonly gid: number } {
  for (const name of names) {
    try {
      const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      // There is no such account.
    }
  }
  throw new Error('There is no account that PostgreSQL could run as.')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
