import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './redis-process.ts'

const START_MS_MAX = 10_000

/** A sentinel that watches one master alone, and puts its replica in its place half a second after it is gone. */
export class SentinelProcess {
  readonly port: number
  readonly #folder: string
  readonly #child: ChildProcess

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port
    this.#folder = folder
    this.#child = child
  }

  static async start(masterName: string, masterPort: number): Promise<SentinelProcess> {
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), 'serverchannel-sentinel-'))
    const file = join(folder, 'sentinel.conf')
    writeFileSync(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${folder}`,
        `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 1`,
        `sentinel down-after-milliseconds ${masterName} 500`,
        `sentinel failover-timeout ${masterName} 3000`,
        '',
      ].join('\n'),
    )
    const child = spawn('redis-server', [file, '--sentinel'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const sentinel = new SentinelProcess(port, folder, child)
    let said = ''
    const isWatching = new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (data: Buffer) => {
        said += data.toString()
        if (said.includes('+monitor master') && said.includes('+slave slave')) resolve()
      })
      setTimeout(() => reject(new Error(`The sentinel did not find the replica: ${said}`)), START_MS_MAX).unref()
    })
    await isWatching
    return sentinel
  }

  async close(): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
