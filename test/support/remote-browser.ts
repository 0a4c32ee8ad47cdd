import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const START_MS_MAX = 30_000
const END_MS_MAX = 10_000

/** A browser in a process of its own, with a profile that nobody has seen before. */
export class RemoteBrowser {
  readonly #child: ChildProcess
  readonly #profile: string
  /** Where it takes commands. */
  readonly url: string

  private constructor(child: ChildProcess, profile: string, url: string) {
    this.#child = child
    this.#profile = profile
    this.url = url
  }

  /**
   * @param argsFor with its profile's folder, which is empty
   * @param announcement what the browser says on standard error, with the address
   */
  static async launch(
    program: string,
    argsFor: (profile: string) => readonly string[],
    announcement: RegExp,
    env: NodeJS.ProcessEnv = {},
  ): Promise<RemoteBrowser> {
    const profile = mkdtempSync(join(tmpdir(), 'serverchannel-browser-'))
    const child = spawn(program, argsFor(profile), {
      // Its home would be made for it, beside the tester's own.
      env: { ...process.env, HOME: profile, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    try {
      return new RemoteBrowser(child, profile, await whereItListens(program, child, announcement))
    } catch (error) {
      await end(child, profile)
      throw error
    }
  }

  /** @param goodbye asks it to end, with all its processes; where it does not, or left out, it is killed */
  async close(goodbye?: () => Promise<unknown>): Promise<void> {
    if (goodbye && isRunning(this.#child)) {
      const exit = once(this.#child, 'exit', { signal: AbortSignal.timeout(END_MS_MAX) })
      goodbye().catch(() => {})
      await exit.catch(() => {})
    }
    await end(this.#child, this.#profile)
  }
}

async function whereItListens(program: string, child: ChildProcess, announcement: RegExp): Promise<string> {
  if (!child.stderr) throw new Error(`${program} has no output`)
  const lines = createInterface(child.stderr)
  const said: string[] = []
  const timer = setTimeout(() => lines.close(), START_MS_MAX)
  try {
    for await (const line of lines) {
      said.push(line)
      const url = announcement.exec(line)?.[1]
      if (url) return url
    }
  } finally {
    clearTimeout(timer)
    // What else it says is of no interest, and has to go somewhere.
    child.stderr.resume()
  }
  throw new Error(`${program} does not say where it listens: ${said.join('\n')}`)
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

async function end(child: ChildProcess, profile: string): Promise<void> {
  if (isRunning(child)) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
}
