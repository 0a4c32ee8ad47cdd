import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Of nobody: nginx needs no more. */
const UNPRIVILEGED_ID = 65_534
const TRIES_MAX = 5
const START_MS_MAX = 10_000

/** What of the documented paths is elsewhere here, and what nginx would put into Debian's folders. */
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

export const hasNginx: boolean = spawnSync('nginx', ['-v']).status === 0

/** The configuration of `docs/nginx.md`, to the letter. */
export function documentedConfiguration(): string {
  const page = readFileSync(fileURLToPath(new URL('../../docs/nginx.md', import.meta.url)), 'utf8')
  const [, configuration] = /^```nginx\n(.*?)^```$/ms.exec(page) ?? []
  if (configuration === undefined) throw new Error('docs/nginx.md has no configuration')
  return configuration
}

/** A run of Debian's nginx with the documented configuration before two nodes, in a folder and on a port of its own. */
export class NginxProcess {
  readonly url: string
  readonly port: number
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child
    this.#folder = folder
    this.port = port
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(nodePorts: readonly [number, number]): Promise<NginxProcess> {
    for (let tries = 0; ; tries++) {
      const folder = mkdtempSync(join(tmpdir(), 'serverchannel-nginx-'))
      const port = await freePort()
      const child = run(folder, adapt(documentedConfiguration(), folder, port, nodePorts))
      let said = ''
      child.stderr?.on('data', (data: Buffer) => {
        said += data.toString()
      })
      if (await takesConnections(child, port)) return new NginxProcess(child, folder, port)
      rmSync(folder, { recursive: true, force: true })
      // Somebody else may have taken the port meanwhile.
      if (tries === TRIES_MAX || !said.includes('Address already in use'))
        throw new Error(`nginx did not start: ${said}`)
    }
  }

  /** All that it logged, of whatever kind. */
  logs(): string {
    const folder = join(this.#folder, 'log')
    return readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('')
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null) {
      const exit = once(this.#child, 'exit')
      this.#child.kill('SIGTERM')
      await exit
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Replaces addresses, ports and paths, and nothing else. Each of them has to be there. */
function adapt(configuration: string, folder: string, port: number, [a, b]: readonly [number, number]): string {
  let text = configuration
  const paths = TEMPORARY.map((name) => `  ${name}_temp_path ${folder}/${name};\n`).join('')
  for (const [documented, own] of [
    ['/run/nginx.pid', `${folder}/nginx.pid`],
    ['/var/log/nginx/error.log', `${folder}/log/error.log`],
    ['/var/log/nginx/access.log', `${folder}/log/access.log`],
    ['server 10.0.0.1:8787', `server 127.0.0.1:${a}`],
    ['server 10.0.0.2:8787', `server 127.0.0.1:${b}`],
    ['listen 80;', `listen 127.0.0.1:${port};`],
    ['http {\n', `http {\n${paths}`],
  ] as const) {
    if (text.split(documented).length !== 2) throw new Error(`docs/nginx.md does not have '${documented}' once`)
    text = text.replace(documented, own)
  }
  return text
}

function run(folder: string, configuration: string): ChildProcess {
  const file = join(folder, 'nginx.conf')
  mkdirSync(join(folder, 'log'))
  writeFileSync(file, configuration)
  const isRoot = process.getuid?.() === 0
  if (isRoot) {
    chmodSync(folder, 0o755)
    for (const path of [folder, join(folder, 'log')]) chownSync(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
  }
  return spawn('nginx', ['-p', folder, '-c', file, '-e', 'stderr', '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {}),
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Nobody says when it listens: it is asked until it does, or has ended. */
async function takesConnections(child: ChildProcess, port: number): Promise<boolean> {
  const end = performance.now() + START_MS_MAX
  while (child.exitCode === null && performance.now() < end) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  child.kill('SIGKILL')
  return false
}
