import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { untilItListens } from './free-ports.ts'
import { pinned } from './machine.ts'

/** A server under test: a process of its own on its own core. */
export interface ServerProcess {
  pid: number
  port: number
  /** Where messages are posted: the same port for HTTP. */
  postPort: number
  stop(): Promise<void>
}

const START_MS_MAX = 15_000
const STOP_MS_MAX = 3_000
const COMPLAINT_CHARACTERS_MAX = 400

/** Starts one of the servers of `serve.ts`, which says its port on standard output. */
export function startNodeServer(name: string, core: number | undefined): Promise<ServerProcess> {
  const entry = fileURLToPath(new URL('serve.js', import.meta.url))
  return startTalkingServer(process.execPath, [entry, name], core)
}

/** Starts a server that says `port N` on standard output, and ends when its standard input does. */
export async function startTalkingServer(
  program: string,
  programArgs: readonly string[],
  core: number | undefined,
): Promise<ServerProcess> {
  const child = spawn(...pinned(core, program, programArgs), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const stop = stopper(child)
  try {
    const port = await portOf(child)
    return { pid: child.pid ?? 0, port, postPort: port, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A server that is told its ports and says nothing. */
export interface QuietServer {
  readonly program: string
  readonly programArgs: readonly string[]
  readonly port: number
  readonly postPort: number
}

/** Starts it, and waits until it listens on both ports. */
export async function startQuietServer(
  { program, programArgs, port, postPort }: QuietServer,
  core: number | undefined,
): Promise<ServerProcess> {
  const child = spawn(...pinned(core, program, programArgs), { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaints = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(0, COMPLAINT_CHARACTERS_MAX)
  })
  const stop = stopper(child)
  try {
    await once(child, 'spawn')
    await Promise.race([
      Promise.all([untilItListens(postPort), untilItListens(port)]),
      once(child, 'exit').then(() => {
        throw new Error(`ended at its start: ${complaints.trim()}`)
      }),
    ])
    return { pid: child.pid ?? 0, port, postPort, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function stopper(child: ChildProcess): () => Promise<void> {
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  return async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await ended
    clearTimeout(timer)
    process.off('exit', endWithUs)
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = ''
    let complaints = ''
    const fail = (why: string) => reject(new Error(`${why} ${complaints.trim()}`.trim()))
    const timer = setTimeout(() => fail(`said no port within ${START_MS_MAX / 1000} s`), START_MS_MAX)
    // Both streams are read to their end, so that a server that logs never waits for us.
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaints = (complaints + text).slice(0, COMPLAINT_CHARACTERS_MAX)
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < COMPLAINT_CHARACTERS_MAX * 100) output += text
      const port = /^port (\d+)$/m.exec(output)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      resolve(Number(port))
    })
    child.once('error', (error) => fail(error.message))
    child.once('close', (code) => {
      clearTimeout(timer)
      fail(`ended at its start with code ${code}:`)
    })
  })
}
