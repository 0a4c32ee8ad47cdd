import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../packages/server/bin/serverchannel.js', import.meta.url))

/** A run of the command `serverchannel` as users run it: a process of its own. */
export class CliProcess {
  readonly #child: ChildProcessWithoutNullStreams
  #out = ''
  #err = ''

  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SERVERCHANNEL_'))
    this.#child = spawn(process.execPath, [bin, ...args], {
      env: { ...Object.fromEntries(inherited), ...environment },
    })
    this.#child.stdout.on('data', (data: Buffer) => {
      this.#out += data.toString()
    })
    this.#child.stderr.on('data', (data: Buffer) => {
      this.#err += data.toString()
    })
  }

  get out(): string {
    return this.#out
  }

  get err(): string {
    return this.#err
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('The process did not start')
    return this.#child.pid
  }

  write(text: string): void {
    this.#child.stdin.end(text)
  }

  /** Lines of standard output, once there are so many. */
  async lines(count: number): Promise<string[]> {
    for (;;) {
      const lines = this.#out.split('\n').slice(0, -1)
      if (lines.length >= count) return lines
      if (this.#child.exitCode !== null) throw new Error(`It ended after ${lines.length} lines: ${this.#err}`)
      await Promise.race([once(this.#child.stdout, 'data'), once(this.#child, 'close')])
    }
  }

  /** Waits for a text on standard error. */
  async note(text: string): Promise<void> {
    while (!this.#err.includes(text)) {
      if (this.#child.exitCode !== null) throw new Error(`It ended without saying '${text}': ${this.#err}`)
      await Promise.race([once(this.#child.stderr, 'data'), once(this.#child, 'close')])
    }
  }

  /** Its exit code, once it has ended. */
  async exit(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'close')
    return this.#child.exitCode
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.kill('SIGKILL')
    await this.exit()
  }
}

/** `serverchannel serve` on a free port, in memory unless a store is named, and where it listens. */
export async function serve(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly process: CliProcess; readonly url: string }> {
  const store = args.includes('--store') ? [] : ['--store', 'memory:']
  const process = new CliProcess(['serve', '--port', '0', '--json', ...store, ...args], environment)
  const [line = ''] = await process.lines(1)
  return { process, url: (JSON.parse(line) as { url: string }).url }
}

/** Runs a command to its end. */
export async function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input = '',
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const process = new CliProcess(args, environment)
  process.write(input)
  const code = await process.exit()
  return { code, out: process.out, err: process.err }
}
