import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../examples/crm/dist/main.js', import.meta.url))

/** The example as `npm start` runs it: a process of its own. */
export class CrmProcess {
  readonly #child: ChildProcess
  readonly url: string

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.url = url
  }

  /**
   * @param port 0: one that is free
   * @param processFile another one than its own
   */
  static async start(port: number, database: string, processFile?: string): Promise<CrmProcess> {
    const child = spawn(process.execPath, [main], {
      env: {
        ...process.env,
        PORT: String(port),
        DATABASE: database,
        ...(processFile === undefined ? {} : { PROCESS: processFile }),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    for await (const data of child.stdout as AsyncIterable<Buffer>) {
      said += data.toString()
      const url = /http:\/\/[\w.:[\]]+\d/.exec(said)?.[0]
      if (url) {
        child.stdout?.resume()
        return new CrmProcess(child, url)
      }
    }
    throw new Error(`The example ended without saying where it listens: ${said}`)
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill(signal)
    await once(this.#child, 'exit')
  }
}
