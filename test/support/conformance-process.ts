import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const built = (name: string): string => fileURLToPath(new URL(`../conformance/dist/${name}`, import.meta.url))

/** The times of the server under test, short so that the checks that wait for them are. */
export const SHORT_TIMES = { keepAliveMs: 1000, clientTimeoutMs: 2000, pollTimeoutMs: 2000 } as const

/** The conformance server as its own process, on a free port. */
export class ConformanceServer {
  readonly #child
  readonly url: URL

  private constructor(child: ReturnType<typeof spawn>, url: URL) {
    this.#child = child
    this.url = url
  }

  static async start(environment: Readonly<Record<string, string>> = {}): Promise<ConformanceServer> {
    const { keepAliveMs, clientTimeoutMs, pollTimeoutMs } = SHORT_TIMES
    const child = spawn(process.execPath, [built('server.js')], {
      env: {
        ...process.env,
        PORT: '0',
        PEER_KEEPALIVE_S: String(keepAliveMs / 1000),
        PEER_CLIENT_TIMEOUT_S: String(clientTimeoutMs / 1000),
        PEER_POLL_S: String(pollTimeoutMs / 1000),
        ...environment,
      },
      // What methods throw that are there to throw is logged on standard error.
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let out = ''
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString()
    })
    for (;;) {
      const address = /^Listening on (\S+)\n/.exec(out)?.[1]
      if (address !== undefined) return new ConformanceServer(child, new URL(address))
      if (child.exitCode !== null) throw new Error(`The server ended with ${child.exitCode} after: ${out}`)
      await Promise.race([once(child.stdout, 'data'), once(child, 'close')])
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('The process did not start')
    return this.#child.pid
  }

  /** Its exit code, or the signal that ended it, once it has ended. */
  async exit(): Promise<number | NodeJS.Signals | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'close')
    return this.#child.exitCode ?? this.#child.signalCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL')
    await this.exit()
  }
}

/** Two conformance servers that serve the same, each knowing where the other is. */
export async function startNodes(): Promise<readonly [ConformanceServer, ConformanceServer]> {
  const [a, b] = [await findFreePort(), await findFreePort()]
  const start = (node: string, port: number): Promise<ConformanceServer> =>
    ConformanceServer.start({
      PORT: String(port),
      PEER_NODE: node,
      PEER_NODE_URLS: `a=http://127.0.0.1:${a},b=http://127.0.0.1:${b}`,
      PEER_NODE_SECRET: 'shared by the nodes of the conformance tests and nobody else',
    })
  return [await start('a', a), await start('b', b)]
}

/** Nodes have to know each other's addresses before they are there. */
async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Runs the suite's command to its end. */
export async function runSuite(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const child = spawn(process.execPath, [built('main.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString()
  })
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}
