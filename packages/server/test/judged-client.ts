import { WebSocket } from 'ws'
import type { AudienceInput } from '../src/channel/audience.ts'
import type { ServerChannel } from '../src/server-channel.ts'
import { decode } from './fake-outlet.ts'
import { HANDSHAKE } from './hub-scene.ts'
import { Ledger } from './simulation-ledger.ts'
import { type Member, Oracle } from './simulation-oracle.ts'

/** A WebSocket client that comes back by itself with its position, and whose every message the checker judges. */
export class JudgedClient implements Member {
  readonly user: string
  readonly groups: readonly string[]
  readonly connectionIds: string[] = []
  readonly stays = []
  readonly ledger: Ledger
  /** What the checker found wrong, or the server refused. */
  readonly faults: string[] = []
  reconnects = 0
  readonly #urls: () => string
  #socket: WebSocket | undefined
  #isClosed = false

  /** @param urls where to connect, asked each time */
  constructor(oracle: Oracle, user: string, groups: readonly string[], urls: () => string) {
    this.user = user
    this.groups = groups
    this.ledger = new Ledger(oracle, this)
    this.#urls = urls
  }

  open(): void {
    if (this.#isClosed) return
    const query = new URLSearchParams({
      user: this.user,
      groups: this.groups.join(','),
      position: this.ledger.position,
    })
    const socket = new WebSocket(`${this.#urls().replace('http', 'ws')}/msg?${query}`)
    this.#socket = socket
    let isHandshaken = false
    socket.on('open', () => socket.send(HANDSHAKE))
    socket.on('message', (data: Buffer) => {
      const text = data.toString()
      const rest = isHandshaken ? text : text.slice(text.indexOf('\x1e') + 1)
      isHandshaken = true
      this.#take(rest)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.reconnects++
      setTimeout(() => this.open(), 20)
    })
  }

  /** Breaks its connection. */
  cut(): void {
    this.#socket?.terminate()
  }

  close(): void {
    this.#isClosed = true
    this.#socket?.terminate()
  }

  /** Whether it has all that is due. */
  isComplete(): boolean {
    try {
      this.ledger.requireDue(Date.now())
      return true
    } catch {
      return false
    }
  }

  #take(data: string): void {
    try {
      for (const received of decode(data)) this.ledger.take(received)
    } catch (error) {
      this.faults.push(error instanceof Error ? error.message : String(error))
    }
  }
}

/** Posts to a channel, and tells the checker what the channel promised. */
export class JudgedPoster {
  readonly oracle: Oracle = new Oracle()

  constructor(channel: Pick<ServerChannel, 'position'>) {
    const [epoch = '', head = '0'] = channel.position.split(':')
    this.oracle.began(epoch, Number(head))
  }

  async post(channel: Pick<ServerChannel, 'post'>, body: unknown, to: AudienceInput): Promise<void> {
    const { position } = await channel.post({ sender: 'Judged', body, to })
    this.promised(position, body, to)
  }

  promised(position: string, body: unknown, to: AudienceInput): void {
    const audience = to === 'all' ? { all: true as const } : toLists(to)
    const rest = { key: undefined, intervalMs: undefined, isShortLived: false, at: Date.now() }
    this.oracle.posted(position, { sender: 'Judged', body, audience, ...rest })
  }
}

function toLists(to: Exclude<AudienceInput, 'all'>) {
  const list = (ids: string | Iterable<string> | undefined) => (typeof ids === 'string' ? [ids] : [...(ids ?? [])])
  return { users: list(to.users), groups: list(to.groups) }
}
