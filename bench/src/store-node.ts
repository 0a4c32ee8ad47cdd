import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ServerChannel, ServerChannelOptions } from 'serverchannel'
import { BODY_BYTES } from './contender.ts'

/** What one node posted. */
export interface PostCount {
  readonly posted: number
  readonly elapsedMs: number
  /** Of the process with all its threads, user and system. */
  readonly cpuMs: number
}

/** A node that posts into the log that it has open. */
export interface StoreNode {
  postFor(outstanding: number, seconds: number): Promise<PostCount>
  /** Posts `Latency`, with {@link machineMs} as its body, at this rate. Ends with the last one; awaits none. */
  postSteadily(count: number, perSecond: number): Promise<void>
  close(): Promise<void>
}

const BODY = 'x'.repeat(BODY_BYTES)
const TURN_POSTS = 500
/** What was built: a process runs JavaScript. */
const program = fileURLToPath(new URL('../dist/store-node-process.js', import.meta.url))

/** Milliseconds on a clock that all processes of the machine have in common. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** A node in this process. */
export function createLocalNode(channel: ServerChannel): StoreNode {
  return {
    postFor: (outstanding, seconds) => postFor(channel, outstanding, seconds),
    async postSteadily(count, perSecond) {
      for (let number = 0; number < count; number++) {
        // Nobody waits for it here: the next one is due.
        channel.postMessageToAll('Latency', machineMs())
        await new Promise((resolve) => setTimeout(resolve, 1000 / perSecond))
      }
    },
    close: () => channel.close(),
  }
}

/** What a node in a process of its own is told. */
export type NodeRequest =
  | { readonly kind: 'open'; readonly options: ServerChannelOptions }
  | { readonly kind: 'postFor'; readonly outstanding: number; readonly seconds: number }
  | { readonly kind: 'postSteadily'; readonly count: number; readonly perSecond: number }
  | { readonly kind: 'close' }

/** A node in a process of its own. @param options plain data */
export async function startRemoteNode(options: ServerChannelOptions): Promise<StoreNode> {
  const child = fork(program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  await ask(child, { kind: 'open', options })
  return {
    postFor: async (outstanding, seconds) => (await ask(child, { kind: 'postFor', outstanding, seconds })) as PostCount,
    async postSteadily(count, perSecond) {
      await ask(child, { kind: 'postSteadily', count, perSecond })
    },
    async close() {
      const exit = once(child, 'exit')
      child.send({ kind: 'close' } satisfies NodeRequest)
      await exit
    },
  }
}

async function ask(child: ChildProcess, request: NodeRequest): Promise<unknown> {
  const answer = once(child, 'message') as Promise<[{ readonly result?: unknown; readonly error?: string }]>
  const end = once(child, 'exit').then(() => Promise.reject(new Error('The other node ended.')))
  child.send(request)
  const [{ result, error }] = await Promise.race([answer, end])
  if (error !== undefined) throw new Error(`The other node: ${error}`)
  return result
}

async function postFor(channel: ServerChannel, outstanding: number, seconds: number): Promise<PostCount> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  const end = start + seconds * 1000
  let posted = 0
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      await channel.postMessageToAll('Bench', BODY)
      // A store that answers in the same turn would not let the clock of anything else run.
      if (++posted % TURN_POSTS === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await Promise.all(Array.from({ length: outstanding }, lane))
  const elapsedMs = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { posted, elapsedMs, cpuMs: (user + system) / 1000 }
}
