import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr'
import { expect, onTestFinished } from 'vitest'
import { createRandom, firstSeed, type Random } from '../../protocol/test/random.ts'
import { range } from './channel-scene.ts'
import { until } from './until.ts'

const INPUTS = 10_000
const ROUND = 500
const AT_ONCE = 20
const POST_EVERY = 25
const STALL_MS_MAX = 50
/** After so many the compiler and caches have most of what they take: more than a megabyte. */
const WARM_UP = 2000
const GROWTH_BYTES_MAX = 2_000_000
const SETTLED_MS_MAX = 25_000
const SERVER = fileURLToPath(new URL('malformed-server.mjs', import.meta.url))
const TRANSPORTS = [
  HttpTransportType.WebSockets,
  HttpTransportType.ServerSentEvents,
  HttpTransportType.LongPolling,
] as const

/** Sends one input, which the random numbers decide, and ends when the server has done with it. Throws where its answer is wrong. */
export type Attack = (random: Random, port: number) => Promise<void>

/**
 * Throws malformed inputs at a server and holds it to this: it lives, no input holds it up, nothing of them stays in its
 * memory, none of them is an error of its own, and clients on all transports get every message, once and in order.
 *
 * `SEED` repeats a run; with `INPUTS=1` too, the input whose seed it is.
 */
export async function throwMalformed(attack: Attack): Promise<void> {
  const seed = firstSeed()
  const inputs = Number(process.env['INPUTS'] ?? INPUTS)
  const server = await startServer()
  const bystanders = await Promise.all(TRANSPORTS.map((transport) => openBystander(server.port, transport)))
  const posts = createPosts(server)
  /** Each input has a seed of its own, so that each can be had alone. */
  const run = async (seeds: readonly number[], atOnce = AT_ONCE): Promise<number> => {
    await server.ask('stall')
    const left = seeds.values()
    const work = async (): Promise<void> => {
      for (const own of left) {
        await attackWith(attack, own, server)
        if (own % POST_EVERY === 0) await posts.next()
      }
    }
    await Promise.all(range(1, atOnce).map(work))
    return server.ask('stall')
  }
  await run(range(1, Math.min(WARM_UP, inputs)).map((n) => seed + inputs + n))
  await requireAlone(server)
  const heldMax = (await server.ask('held')) + GROWTH_BYTES_MAX
  for (let first = 0; first < inputs; first += ROUND) {
    const seeds = range(first, Math.min(first + ROUND, inputs) - 1).map((n) => seed + n)
    if ((await run(seeds)) > STALL_MS_MAX) await findStall(run, seeds)
  }
  await posts.next()
  for (const bodies of bystanders) {
    await until(() => bodies.length >= posts.count(), 'the bystander got every message')
    expect(bodies, `With SEED=${seed}`).toEqual(range(1, posts.count()))
  }
  await requireAlone(server)
  // What was negotiated goes with the next second's beat.
  await poll(
    async () => (await server.ask('held')) < heldMax,
    () => `what the inputs of SEED=${seed} left is gone`,
  )
  expect(server.errors(), `With SEED=${seed}`).toBe('')
}

/** A round held the server up. It does so again, and again, or it was the machine; and one of its inputs may do so alone. */
async function findStall(
  run: (seeds: readonly number[], atOnce?: number) => Promise<number>,
  seeds: readonly number[],
): Promise<void> {
  const together = [await run(seeds), await run(seeds)]
  if (Math.min(...together) <= STALL_MS_MAX) return
  for (const own of seeds) {
    const stalls = [await run([own], 1), await run([own], 1)]
    if (Math.min(...stalls) > STALL_MS_MAX)
      throw new Error(`The input of SEED=${own} INPUTS=1 stalls for ${stalls.join(' and ')} ms`)
  }
  throw new Error(
    `The inputs of SEED=${seeds[0]} INPUTS=${seeds.length} together stall for ${together.join(' and ')} ms`,
  )
}

async function attackWith(attack: Attack, seed: number, server: Server): Promise<void> {
  try {
    await attack(createRandom(seed), server.port)
  } catch (cause) {
    throw new Error(`With SEED=${seed} INPUTS=1: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  if (server.hasEnded()) throw new Error(`The server ended at about SEED=${seed} INPUTS=1: ${server.errors()}`)
}

/** Once all that the inputs opened is gone. */
async function requireAlone(server: Server): Promise<void> {
  let connections = 0
  const isAlone = async (): Promise<boolean> => {
    connections = await server.ask('connections')
    return connections === TRANSPORTS.length
  }
  await poll(isAlone, () => `the inputs’ connections are gone; there are ${connections}, of ${TRANSPORTS.length}`)
}

/** Asks until the answer is yes. */
async function poll(isSo: () => Promise<boolean>, what: () => string): Promise<void> {
  const end = performance.now() + SETTLED_MS_MAX
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`Waited ${SETTLED_MS_MAX} ms in vain until ${what()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

interface Server {
  readonly port: number
  ask(question: 'stall' | 'held' | 'connections'): Promise<number>
  post(body: number): Promise<void>
  hasEnded(): boolean
  /** What it wrote to standard error: nothing, unless something went wrong inside. */
  errors(): string
}

async function startServer(): Promise<Server> {
  const child = fork(SERVER, {
    // Some libraries reach for `__proto__`; where input decides the name, that is an attack, and here it throws.
    execArgv: ['--expose-gc', '--disable-proto=throw'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr?.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  onTestFinished(() => endChild(child))
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const asked = new Map<number, PromiseWithResolvers<unknown>>()
  child.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
    asked.get(id)?.resolve(answer)
    asked.delete(id)
  })
  child.once('close', (code) => {
    errors += `The process ended with ${code}.`
    for (const { reject } of asked.values()) reject(new Error(errors))
  })
  let ids = 0
  const ask = (question: string, rest: object = {}): Promise<unknown> => {
    const answer = withResolvers<unknown>()
    asked.set(++ids, answer)
    child.send({ id: ids, ask: question, ...rest }, (error) => {
      if (error) answer.reject(new Error(`The server ended: ${errors}`, { cause: error }))
    })
    return answer.promise
  }
  return {
    port,
    ask: async (question) => (await ask(question)) as number,
    post: async (body) => void (await ask('post', { body })),
    hasEnded: () => child.exitCode !== null,
    errors: () => errors,
  }
}

interface PromiseWithResolvers<Value> {
  readonly promise: Promise<Value>
  resolve(value: Value): void
  reject(error: Error): void
}

/** As `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers<Value>(): PromiseWithResolvers<Value> {
  let settle: Omit<PromiseWithResolvers<Value>, 'promise'> | undefined
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, resolve: (value) => settle?.resolve(value), reject: (error) => settle?.reject(error) }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** Posts one after the other, whoever asks, so that the order is known. */
function createPosts(server: Server): { next(): Promise<void>; count(): number } {
  let count = 0
  return {
    next: () => server.post(++count),
    count: () => count,
  }
}

/** A stock client, and the bodies that came to it. */
async function openBystander(port: number, transport: HttpTransportType): Promise<readonly unknown[]> {
  const connection = new HubConnectionBuilder()
    .withUrl(`http://127.0.0.1:${port}/msg`, { transport })
    .configureLogging(LogLevel.None)
    .build()
  const bodies: unknown[] = []
  connection.on('ServerMessage', ({ Header, Body }: { Header: { Sender: string }; Body: unknown }) => {
    if (Header.Sender === 'Bystander') bodies.push(Body)
  })
  onTestFinished(() => connection.stop())
  await connection.start()
  return bodies
}
