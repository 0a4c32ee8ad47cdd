import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
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
export async function startNodeServer(name: string, core: number | undefined): Promise<ServerProcess> {
  const entry = fileURLToPath(new URL('serve.js', import.meta.url))
  const [program, programArgs] = pinned(core, process.execPath, [entry, name])
  const child = spawn(program, programArgs, {
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

/** Starts the C server, which takes two neighbouring ports and says nothing. */
export async function startCServer(program: string, core: number | undefined): Promise<ServerProcess> {
  const port = await freePortPair()
  const [command, commandArgs] = pinned(core, program, ['naive', String(port)])
  const child = spawn(command, commandArgs, { stdio: 'ignore' })
  const stop = stopper(child)
  try {
    await once(child, 'spawn')
    await untilItListens(port + 1)
    return { pid: child.pid ?? 0, port, postPort: port + 1, stop }
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

/** Below the range that the kernel takes clients' ports from, so that none of them is in the way. */
async function freePortPair(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 20_000 + 2 * Math.floor(Math.random() * 6_000)
    if ((await isFree(port)) && (await isFree(port + 1))) return port
  }
  throw new Error('found no two free neighbouring ports')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

async function untilItListens(port: number): Promise<void> {
  for (const deadline = Date.now() + START_MS_MAX; Date.now() < deadline; ) {
    if (await accepts(port)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('does not listen')
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
