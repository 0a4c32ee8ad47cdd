import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServerChannelOptions } from 'serverchannel'

const program = fileURLToPath(new URL('node-program.mjs', import.meta.url))
export const SECRET = 'a secret that the nodes of the tests share'

export interface NodeState {
  readonly connectionCount: number
  readonly rss: number
  readonly heapUsed: number
  readonly arrayBuffers: number
}

/** A node as a process of its own, with hubs at `/testhub`, `/otherhub` and the channel at `/msg`. */
export class NodeProcess {
  readonly name: string
  readonly #child: ChildProcess
  #port = 0
  #err = ''

  readonly #scheme: 'http' | 'https'

  /** @param tlsFolder with `key.pem` and `cert.pem`, where it speaks TLS */
  constructor(name: string, tlsFolder?: string) {
    this.name = name
    this.#scheme = tlsFolder === undefined ? 'http' : 'https'
    const tls =
      tlsFolder === undefined ? {} : { NODE_TLS_FOLDER: tlsFolder, NODE_EXTRA_CA_CERTS: join(tlsFolder, 'cert.pem') }
    this.#child = fork(program, {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      execArgv: ['--expose-gc'],
      env: { ...process.env, ...tls },
    })
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#err += data.toString()
    })
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}`
  }

  /** What it logged. */
  get err(): string {
    return this.#err
  }

  async listen(): Promise<void> {
    this.#port = (await this.#answer<{ port: number }>()).port
  }

  async start(urls: Readonly<Record<string, string>>, options: ServerChannelOptions): Promise<void> {
    await this.#ask({ self: this.name, secret: SECRET, urls, options })
  }

  async state(): Promise<NodeState> {
    return await this.#ask<NodeState>({ asksState: true })
  }

  async post(messages: readonly (readonly [string, unknown])[]): Promise<void> {
    await this.#ask({ post: messages })
  }

  /** It says goodbye to its clients and ends. */
  async close(): Promise<void> {
    if (this.#hasEnded) return
    const exit = once(this.#child, 'exit')
    this.#child.send({ close: true })
    await exit
  }

  /** It is gone without a word. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async #ask<Answer>(question: object): Promise<Answer> {
    const answer = this.#answer<Answer>()
    this.#child.send(question)
    return await answer
  }

  async #answer<Answer>(): Promise<Answer> {
    const child = this.#child
    return await new Promise<Answer>((resolve, reject) => {
      const onExit = (): void => reject(new Error(`The node ${this.name} ended: ${this.#err}`))
      child.once('exit', onExit)
      child.once('message', (answer) => {
        child.off('exit', onExit)
        resolve(answer as Answer)
      })
    })
  }
}

/** Nodes that know of each other. */
export async function startNodes(
  names: readonly string[],
  options: ServerChannelOptions = {},
  tlsFolder?: string,
): Promise<readonly NodeProcess[]> {
  const nodes = names.map((name) => new NodeProcess(name, tlsFolder))
  await Promise.all(nodes.map((node) => node.listen()))
  const urls = Object.fromEntries(nodes.map(({ name, url }) => [name, url]))
  await Promise.all(nodes.map((node) => node.start(urls, options)))
  return nodes
}
