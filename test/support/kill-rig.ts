import { type Channel, connect } from '@serverchannel/client'
import { WebSocket } from 'ws'
import { until } from '../../packages/server/test/until.ts'
import { bodyOf, KillJudge, type KillVerdict, type LanePost, stateOf, type Witness } from './kill-judge.ts'
import { KillableServer, type PlainOptions } from './kill-server.ts'

export interface KillRigOptions {
  /** Of each server: `{ store: 'sqlite:…' }` and what else `createServerChannel` takes as plain data. */
  readonly servers: readonly PlainOptions[]
  /** Spread over the servers. Default 50. */
  readonly clients?: number
  /** Each with two lanes, and each lane with one post under way. Default 2. */
  readonly posters?: number
  /** Between two posts of a lane. Default 15. */
  readonly postEveryMs?: number
}

const USERS = 5
const LANES = 2
const TRY_AGAIN_MS = 10
const REQUEST_TIMEOUT_MS = 15_000
const CATCH_UP_MS_MAX = 30_000

/**
 * Clients of ours, and posters that post each message until it is acknowledged, while a test kills servers or the engine
 * that their log is in. In the end the simulation's checker judges what every client got.
 *
 * @example
 * const rig = await KillRig.start({ servers: [{ store: `sqlite:${file}` }] })
 * onTestFinished(() => rig.close())
 * for (let kill = 0; kill < 40; kill++) await rig.whilePosting(async () => { await rig.servers[0].kill(); await rig.servers[0].start() })
 * const verdict = await rig.finish()
 */
export class KillRig {
  readonly servers: readonly KillableServer[]
  readonly #judge = new KillJudge()
  readonly #options: KillRigOptions
  readonly #channels: Channel[] = []
  readonly #witnesses: Witness[] = []
  readonly #ends: number[] = []
  #lanes: Promise<void>[] = []
  readonly #stop = new AbortController()
  #acknowledged = 0
  #failure: Error | undefined
  #refusals = 0
  #silences = 0

  private constructor(options: KillRigOptions, servers: readonly KillableServer[]) {
    this.#options = options
    this.servers = servers
  }

  static async start(options: KillRigOptions): Promise<KillRig> {
    const servers = await Promise.all(options.servers.map((each) => KillableServer.start(each)))
    const rig = new KillRig(options, servers)
    const { clients = 50, posters = 2 } = options
    for (let number = 0; number < clients; number++) rig.#connect(number)
    await Promise.all(rig.#channels.map((channel) => channel.ready()))
    rig.#lanes = Array.from({ length: posters * LANES }, (_, index) => rig.#postOn(`lane-${index}`, index))
    return rig
  }

  /** Posts that were acknowledged up to now. */
  get posts(): number {
    return this.#acknowledged
  }

  /** How often a server said that a post is to be tried again (503). */
  get refusals(): number {
    return this.#refusals
  }

  /** How often a server did not answer a post within 15 s. */
  get silences(): number {
    return this.#silences
  }

  /** Waits until so many more posts are acknowledged, does it while others are under way, and waits for a post after it. */
  async whilePosting(upset: () => Promise<void>, posts = 10): Promise<void> {
    await this.#posted(this.#acknowledged + posts, 'posts are acknowledged before')
    await upset()
    await this.#posted(this.#acknowledged + 1, 'a post is acknowledged after')
  }

  /**
   * Ends posting, waits until everybody has everything, and judges.
   *
   * @param catchUpMs how long after the last post everybody has it at the latest
   * @throws Error that says what is wrong: a message that is missing, doubled, out of order, or changed
   */
  async finish(catchUpMs: number = CATCH_UP_MS_MAX): Promise<KillVerdict> {
    this.#stop.abort()
    await Promise.all(this.#lanes)
    await this.#postUntilAcknowledged({ lane: 'end', number: 0, audience: { all: true } }, 0)
    const count = this.#channels.length
    await until(
      () => this.#ends.length >= count || this.#failure !== undefined,
      'everybody has the last message',
      catchUpMs,
    )
    if (this.#failure) throw this.#failure
    return this.#judge.judge(this.#witnesses)
  }

  /** Ends all that it started. */
  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#channels.map((channel) => channel.close()))
    await Promise.all(this.servers.map((server) => server.close()))
  }

  #connect(number: number): void {
    const user = `user-${number % USERS}`
    const server = this.#serverOf(number)
    const witness: Witness = { user, received: [] }
    const channel = connect(`${server.url.replace('http', 'ws')}/msg?user=${user}`, {
      WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
      reconnectDelayMs: 40,
      reconnectDelayMsMax: 80,
    })
    channel.onMessage(({ Position = '', Body }) => {
      if (typeof Body !== 'string') throw new Error('A message is not one of the posted')
      this.#attempt(() => witness.received.push({ message: this.#judge.see(Position, Body) }))
      if (Body === 'end/0') this.#ends.push(number)
    })
    channel.onGap(({ to, reason }) => witness.received.push(stateOf(to, false, reason)))
    channel.onStateChange((state, { recovered }) => {
      // A gap has said it already.
      if (state !== 'open' || recovered === false || channel.position === undefined) return
      witness.received.push(stateOf(channel.position, recovered, undefined))
    })
    this.#channels.push(channel)
    this.#witnesses.push(witness)
  }

  async #postOn(lane: string, index: number): Promise<void> {
    for (let number = 0; !this.#stop.signal.aborted; number++) {
      const audience = number % 3 === 2 ? { users: [`user-${number % USERS}`, 'nobody'] } : { all: true as const }
      await this.#postUntilAcknowledged({ lane, number, audience }, index)
      await new Promise((resolve) => setTimeout(resolve, this.#options.postEveryMs ?? 15))
    }
  }

  /** With one id, by whichever server answers. */
  async #postUntilAcknowledged(post: LanePost, index: number): Promise<void> {
    this.#judge.posting(post)
    const body = JSON.stringify({ sender: 'Kill', body: bodyOf(post), to: post.audience, id: bodyOf(post) })
    for (let attempt = 0; this.#failure === undefined; attempt++) {
      const position = await tryPost(this.#serverOf(index + attempt).url, body)
      if (position === 'refused') this.#refusals++
      else if (position === 'silent') this.#silences++
      else if (position !== undefined) {
        this.#attempt(() => this.#judge.acknowledged(post, position))
        this.#acknowledged++
        return
      }
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS))
    }
  }

  #serverOf(number: number): KillableServer {
    const server = this.servers[number % this.servers.length]
    if (!server) throw new Error('There is no server')
    return server
  }

  async #posted(count: number, what: string): Promise<void> {
    await until(() => this.#acknowledged >= count || this.#failure !== undefined, what, CATCH_UP_MS_MAX)
    if (this.#failure) throw this.#failure
  }

  /** What is wrong ends the test wherever it waits, not the handler that found it. */
  #attempt(run: () => unknown): void {
    try {
      run()
    } catch (error) {
      this.#failure ??= error as Error
    }
  }
}

/** @returns the position, or why it has to be tried again: undefined where there is no server */
async function tryPost(url: string, body: string): Promise<string | undefined> {
  let status: number
  let text: string
  try {
    const response = await fetch(`${url}/api/messages`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    status = response.status
    text = await response.text()
  } catch (error) {
    return (error as Error).name === 'TimeoutError' ? 'silent' : undefined
  }
  if (status === 201) return (JSON.parse(text) as { position: string }).position
  if (status !== 503) throw new Error(`Posting was answered with ${status}: ${text}`)
  return 'refused'
}
