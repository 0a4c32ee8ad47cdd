import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const hasMono: boolean = spawnSync('mcs', ['--version']).status === 0

const RUN_MS_MAX = 90_000
const inRoot = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** What a program said and how it ended. */
export interface MonoRun {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A program of the test together with the C# client, compiled as C# 5 with warnings as errors. */
export class MonoProgram {
  readonly #folder: string
  readonly #path: string

  private constructor(folder: string, path: string) {
    this.#folder = folder
    this.#path = path
  }

  /** @param source a file of `test/dotnet` */
  static compile(source: string): Promise<MonoProgram> {
    return MonoProgram.#compile(makeFolder(), inRoot(`test/dotnet/${source}`))
  }

  static compileText(text: string): Promise<MonoProgram> {
    const folder = makeFolder()
    const source = join(folder, 'Program.cs')
    writeFileSync(source, text)
    return MonoProgram.#compile(folder, source)
  }

  static async #compile(folder: string, source: string): Promise<MonoProgram> {
    const path = join(folder, 'program.exe')
    const options = ['-langversion:5', '-warn:4', '-warnaserror', `-out:${path}`]
    const references = ['-r:System.Net.Http', '-r:System.Runtime.Serialization']
    const client = inRoot('clients/dotnet/MsgChannelUtilities.cs')
    const run = await start('mcs', [...options, ...references, client, source])
    if (run.code !== 0) throw new Error(`${source} does not compile: ${run.out}${run.err}`)
    return new MonoProgram(folder, path)
  }

  /** @param url where messages go; none: nobody says it */
  run(args: readonly string[], url?: string): Promise<MonoRun> {
    return start('mono', [this.#path, ...args], url === undefined ? {} : { SERVERCHANNEL_URL: url })
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'serverchannel-mono-'))
}

function start(command: string, args: readonly string[], environment: Record<string, string> = {}): Promise<MonoRun> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SERVERCHANNEL_'))
  const env = { ...Object.fromEntries(inherited), ...environment }
  return new Promise((resolve) => {
    execFile(command, args, { env, timeout: RUN_MS_MAX, encoding: 'utf8' }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, out, err })
    })
  })
}
