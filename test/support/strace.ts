import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** Why no process can be traced here; undefined where one can. */
export const whyNoStrace: string | undefined = look()

function look(): string | undefined {
  const { status, error, stderr } = spawnSync('strace', ['-o', '/dev/null', 'true'])
  if (error) return 'strace is not installed (scripts/engines.sh installs it)'
  return status === 0 ? undefined : `tracing is not allowed here: ${stderr.toString().trim()}`
}

/** System calls of a running process with all its threads, written to a file or made to fail, until it is detached. */
export class Strace {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async attach(pid: number, args: readonly string[]): Promise<Strace> {
    const child = spawn('strace', ['-f', ...args, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr?.on('data', (data: Buffer) => {
        said += data.toString()
        if (said.includes('attached')) resolve()
      })
      child.once('exit', () => reject(new Error(`strace ended: ${said}`)))
    })
    return new Strace(child)
  }

  /** The process goes on by itself. */
  async detach(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exit
  }
}
