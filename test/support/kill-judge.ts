import type { LossReason, Message } from '@serverchannel/protocol'
import type { Audience } from '../../packages/server/src/channel/audience.ts'
import type { Received } from '../../packages/server/test/fake-outlet.ts'
import { Ledger } from '../../packages/server/test/simulation-ledger.ts'
import { type Member, Oracle, positionOf } from '../../packages/server/test/simulation-oracle.ts'

/** What one lane of a poster posts: it posts the next one when this one is acknowledged. */
export interface LanePost {
  readonly lane: string
  readonly number: number
  readonly audience: Audience
}

export interface KillVerdict {
  /** Acknowledged. */
  readonly posts: number
  /** That the clients got, all together. */
  readonly messages: number
  /** How often a client came back and got what it had missed, and how often it was told that it could not. */
  readonly recoveries: number
  readonly gaps: number
  readonly epochs: number
}

/** One client, and what it got, in its order. */
export interface Witness {
  readonly user: string
  readonly received: Received[]
}

const SENDER = 'Kill'

/** What clients and posters saw of the log, and the judgement on it: by the oracle and the ledger of the simulation. */
export class KillJudge {
  /** By its position, as the first who saw it was told. */
  readonly #seen = new Map<string, Message>()
  readonly #posted = new Map<string, LanePost>()
  readonly #epochs: string[] = []
  /** The last offset that is known of each epoch. */
  readonly #heads = new Map<string, number>()
  #acknowledged = 0

  /** To be called before the message is on its way. */
  posting(post: LanePost): void {
    this.#posted.set(bodyOf(post), post)
  }

  acknowledged(post: LanePost, position: string): void {
    this.#acknowledged++
    this.see(position, bodyOf(post))
  }

  /** @returns one message for all who saw this position. @throws Error where they saw different ones */
  see(position: string, body: string): Message {
    const known = this.#seen.get(position)
    if (known && known.Body !== body) throw new Error(`${position} is ${String(known.Body)} and ${body}`)
    if (known) return known
    const message: Message = { Id: body, Header: { Sender: SENDER }, Body: body, Position: position }
    this.#seen.set(position, message)
    const { epoch, offset } = positionOf(position)
    if (!this.#heads.has(epoch)) this.#epochs.push(epoch)
    this.#heads.set(epoch, Math.max(offset, this.#heads.get(epoch) ?? 0))
    return message
  }

  /**
   * Holds what each client got against what the log has. To be called when all of them have all of it.
   *
   * @throws Error at the first message that is missing without having been stated as lost, doubled, out of order, or not
   * for whoever got it
   */
  judge(witnesses: readonly Witness[]): KillVerdict {
    const oracle = new Oracle()
    for (const epoch of this.#epochs) this.#retell(oracle, epoch)
    const totals = { messages: 0, recoveries: 0, gaps: 0 }
    for (const [index, { user, received }] of witnesses.entries()) {
      const member: Member = { user, groups: [], connectionIds: [], stays: [] }
      const ledger = new Ledger(oracle, member)
      try {
        for (const each of received) ledger.take(each)
        ledger.requireDue(Number.POSITIVE_INFINITY)
      } catch (cause) {
        throw new Error(`Client ${index} (${user}): ${(cause as Error).message}`, { cause })
      }
      totals.messages += ledger.messages
      totals.recoveries += ledger.recoveries
      totals.gaps += ledger.gaps
    }
    return { posts: this.#acknowledged, ...totals, epochs: this.#epochs.length }
  }

  /** Each lane's posts are in the log once in an epoch, and in the order in which they were posted. */
  #retell(oracle: Oracle, epoch: string): void {
    const head = this.#heads.get(epoch) ?? 0
    let first = head
    while (first > 1 && (this.#seen.has(`${epoch}:${first - 1}`) || epoch === this.#epochs[0])) first--
    oracle.began(epoch, first - 1)
    const lanes = new Map<string, number>()
    for (let offset = first; offset <= head; offset++) {
      const body = this.#seen.get(`${epoch}:${offset}`)?.Body
      const post = typeof body === 'string' ? this.#posted.get(body) : undefined
      if (body !== undefined && !post)
        throw new Error(`${epoch}:${offset} is ${JSON.stringify(body)}, which nobody posted`)
      // In the last epoch every post was acknowledged in the end; in one that was lost some are known to nobody.
      if (!post && epoch === this.#epochs.at(-1)) throw new Error(`Nobody knows what ${epoch}:${offset} is`)
      if (post) {
        const before = lanes.get(post.lane) ?? -1
        if (post.number <= before) throw new Error(`${epoch}:${offset} is ${post.lane} ${post.number}, after ${before}`)
        lanes.set(post.lane, post.number)
      }
      oracle.posted(`${epoch}:${offset}`, {
        sender: SENDER,
        key: undefined,
        intervalMs: undefined,
        body: body ?? null,
        audience: post?.audience ?? NOBODY,
        isShortLived: false,
        at: 0,
      })
    }
  }
}

const NOBODY: Audience = { users: [] }

export function bodyOf({ lane, number }: LanePost): string {
  return `${lane}/${number}`
}

/** What a client of ours says that it missed, or that it came back to. */
export function stateOf(position: string, recovered: boolean | undefined, reason: LossReason | undefined): Received {
  const { epoch, offset } = positionOf(position)
  return { state: { epoch, offset, ...(recovered === undefined ? {} : { recovered }), ...(reason && { reason }) } }
}
