import { randomBytes } from 'node:crypto'
import type { ConsumerMessages } from '@nats-io/jetstream'
import type { Entry } from '../channel/entry.ts'
import type { LogFollower, LogState } from '../channel/store.ts'
import { EngineAway } from './append-queue.ts'
import type { HistoryBounds } from './history-bounds.ts'
import { leftOut } from './nats-left-out.ts'
import type { NatsLink, StreamFound, StreamMessage } from './nats-link.ts'
import { loadLog, type ToldTo } from './nats-load.ts'
import { NatsLog } from './nats-log.ts'
import { decodeEntries, decodeHead, encodePiece, type PieceHead } from './nats-message.ts'

/** Messages that do not come for so long, though they are there, do not come from this consumer. */
const SILENCE_MS_MAX = 5000
const CATCH_UP_MS_MAX = 3000
const FOLLOW_AGAIN_MS = 100
const TRIES_MAX = 50
/** In a cluster, messages that the consumer does not bring for so long are read by themselves. */
const LEFT_OUT_MS_MAX = 500
/** A leader that was just elected may not have looked at all that it has. */
const SHORT_MS_MAX = 5000

export interface NatsReaderParts {
  readonly link: NatsLink
  readonly bounds: HistoryBounds
  /** Whether the servers sync each write. */
  readonly isSynced: boolean
  /** Told of each message of the log, before what it holds is told to the follower. */
  readonly onPiece: (head: PieceHead) => void
}

/** What a node knows of the log, kept up with the stream: reads along, and finds out when it is another log. */
export class NatsReader {
  readonly #parts: NatsReaderParts
  #log: NatsLog
  #created = ''
  #found: StreamFound | undefined
  #follower: LogFollower | undefined
  /** What the follower was told last. */
  #told = { epoch: '', head: 0 }
  /** The newest message of which the follower was told; undefined where what came after it was no log. */
  #toldTo: ToldTo | undefined
  #shortSinceMs: number | undefined
  /** What comes next in the log can't be had from any server, and what is behind it can. */
  #holeSinceMs: number | undefined
  /** The connection was lost: what the stream's last message is has to be looked at. */
  #isUnsure = false
  /** Not while the log is read anew: the follower is told first where it goes on. */
  #isFollowing = false
  #turn = 0
  #messages: ConsumerMessages | undefined
  readonly #waiting = new Set<() => void>()
  #settling: Promise<void> | undefined
  #silentSinceMs: number | undefined

  constructor(parts: NatsReaderParts) {
    this.#parts = parts
    this.#log = new NatsLog(parts.bounds)
  }

  /** Another one after the log was read anew. */
  get log(): NatsLog {
    return this.#log
  }

  get found(): StreamFound | undefined {
    return this.#found
  }

  /** Whether appends have to wait until it is known which log this is. */
  get isUnsettled(): boolean {
    return this.#settling !== undefined || this.#isUnsure || this.whyAnother() !== undefined
  }

  /** From the state that this answers with on the follower misses nothing. */
  tell(follower: LogFollower): LogState {
    this.#follower = follower
    const state = this.#log.state()
    this.#told = { epoch: state.epoch, head: state.head }
    this.#markTold(this.#log.lastSeq, this.#log.lastWriter)
    return state
  }

  /** The connection is another one, or something does not fit: the log may be another. */
  doubt(): void {
    this.#isUnsure = true
    // The consumer of before would find out by itself that it is none any more, but not soon.
    if (this.#isFollowing) this.#followAnew()
  }

  /** Looks at the stream. @throws EngineAway */
  async check(): Promise<StreamFound> {
    const knownSeq = this.#log.lastSeq
    const found = await this.#parts.link.find()
    this.#found = found
    const isAnother = found.created !== this.#created || found.lastSeq < knownSeq
    if (isAnother || this.#isUnsure || this.whyAnother() !== undefined) await this.settle()
    else {
      this.#log.lostBefore(found.firstSeq)
      this.#checkSilence(found.lastSeq)
      this.#log.trim()
    }
    return found
  }

  close(): void {
    this.#follower = undefined
    this.#turn++
    void this.#messages?.close()
  }

  /** What the log is in NATS, and whether it is still the one that this node knows. @throws EngineAway */
  settle(): Promise<void> {
    this.#settling ??= this.#settleNow().finally(() => {
      this.#settling = undefined
    })
    return this.#settling
  }

  async #settleNow(): Promise<void> {
    try {
      await this.#tryToSettle()
    } catch (error) {
      this.#isUnsure = true
      throw error
    }
  }

  async #tryToSettle(): Promise<void> {
    const { link } = this.#parts
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const { lastSeq, lastWriter } = this.#log
      // From here on another connection would be news.
      const isUnsure = this.#isUnsure
      this.#isUnsure = false
      const found = await link.find()
      this.#found = found
      this.#requireAll(found)
      const isKnown = this.#isFollowing && (await this.#isKnown(found, lastSeq, isUnsure ? lastWriter : undefined))
      if (!isKnown) await this.#load(found)
      else if (found.lastSeq > this.#log.lastSeq) await this.reach(found.lastSeq)
      const isBehind = this.#told.epoch === this.#log.epoch && this.#log.head < this.#told.head
      const why = isBehind ? 'the newest entries are gone' : this.whyAnother()
      if (why === undefined || (await this.#beginEpoch(why))) {
        this.#tellState()
        if (!this.#isFollowing) this.#followAnew()
        return
      }
    }
    throw new EngineAway('Other nodes are always faster.')
  }

  /** Why the log needs another epoch; undefined where it goes on. */
  whyAnother(): string | undefined {
    if (this.#log.epoch === '') return 'there is no log'
    const { life } = this.#parts.link
    if (life === '' || life === this.#log.life || this.#parts.isSynced) return undefined
    return 'NATS was restarted, and may not have synced the newest entries'
  }

  /** @returns false where another node was faster with whatever it wrote */
  async #beginEpoch(why: string): Promise<boolean> {
    const { link, bounds } = this.#parts
    const isFirst = this.#log.epoch === '' && this.#told.epoch === ''
    const { head, lastSeq } = this.#log
    const epoch = randomBytes(9).toString('base64url')
    const about = { epoch, first: head + 1, life: link.life, writer: `epoch-${epoch}` }
    const { fields, payload, marks } = encodePiece(about, [])
    const seq = await link.append(fields, payload, lastSeq)
    if (seq === undefined) {
      // It comes by itself where this node follows the log, and is loaded where it does not.
      if (this.#isFollowing) await this.reach(lastSeq + 1)
      return false
    }
    this.apply({ ...about, seq, marks }, () => [])
    if (!isFirst) bounds.onWarning(`NATS: the log has a new epoch, as ${why}.`)
    return true
  }

  /**
   * Whether the stream is the one that this node knew before it was looked at: what was appended meanwhile may be known
   * already, and is no sign of anything. Where a writer is given, the last message known has to be that one's still.
   */
  async #isKnown(found: StreamFound, knownSeq: number, knownWriter: string | undefined): Promise<boolean> {
    if (this.#log.epoch === '' || found.created !== this.#created || found.lastSeq < knownSeq) return false
    if (knownWriter === undefined) return true
    // In a cluster, others may have what this leader lacks: what comes next shows whether something is gone.
    if (found.firstSeq > knownSeq) return this.#parts.link.isCluster
    const message = await this.#parts.link.read(knownSeq)
    const head = message && decodeHead(message.seq, (name) => message.get(name))
    return head?.writer === knownWriter
  }

  /** Reads anew where everything is: without the bodies. */
  async #load(found: StreamFound): Promise<void> {
    this.#isFollowing = false
    this.#turn++
    void this.#messages?.close()
    this.#log = await loadLog(this.#parts, found, this.#toldTo)
    this.#created = found.created
    this.#silentSinceMs = undefined
  }

  /** Takes what was left out up to there. @throws EngineAway */
  async #takeLeftOut(toSeq: number, turn: number): Promise<void> {
    for await (const message of leftOut(this.#parts.link, this.#log.lastSeq + 1, toSeq)) {
      if (turn !== this.#turn) return
      if (message.seq > this.#log.lastSeq) this.#take(message)
    }
  }

  /** @throws EngineAway where a cluster leaves out what is before it, for as long as that may pass */
  #take(message: StreamMessage): void {
    if (this.#parts.link.isCluster && message.seq > this.#log.lastSeq + 1) {
      const now = performance.now()
      this.#holeSinceMs ??= now
      if (now - this.#holeSinceMs < SHORT_MS_MAX) throw new EngineAway('NATS leaves out what it had.')
    }
    this.#holeSinceMs = undefined
    const head = decodeHead(message.seq, (name) => message.get(name))
    if (head) this.apply(head, () => decodeEntries(head, message.payload))
    else this.#pass(message.seq)
  }

  #pass(seq: number): void {
    this.#log.passTo(seq)
    for (const wake of this.#waiting) wake()
  }

  #markTold(seq: number, writer: string): void {
    this.#toldTo = { created: this.#created, seq, writer }
  }

  /** @throws EngineAway where a cluster has less than was told, for as long as that may pass */
  #requireAll(found: StreamFound): void {
    const told = this.#toldTo
    if (this.#parts.link.life !== '' || found.created !== told?.created || found.lastSeq >= told.seq) {
      this.#shortSinceMs = undefined
      return
    }
    const now = performance.now()
    this.#shortSinceMs ??= now
    if (now - this.#shortSinceMs < SHORT_MS_MAX) throw new EngineAway('NATS has less than it had.')
  }

  /** Tells the follower where the log goes on, where that is not where it was told last. */
  #tellState(): void {
    const state = this.#log.state()
    const { epoch, head } = this.#told
    if (!this.#follower || (state.epoch === epoch && state.head === head)) return
    this.#told = { epoch: state.epoch, head: state.head }
    this.#markTold(this.#log.lastSeq, this.#log.lastWriter)
    this.#follower.onEpoch(state)
  }

  #followAnew(): void {
    this.#isFollowing = true
    void this.#messages?.close()
    void this.#follow(++this.#turn)
  }

  /** Reads along, until it is told otherwise. */
  async #follow(turn: number): Promise<void> {
    while (turn === this.#turn) {
      try {
        const messages = await this.#parts.link.follow(this.#log.lastSeq + 1, false)
        if (turn !== this.#turn) {
          void messages.close()
          return
        }
        this.#messages = messages
        for await (const message of messages) {
          if (this.#parts.link.isCluster && message.seq > this.#log.lastSeq + 1) {
            await this.#takeLeftOut(message.seq - 1, turn)
          }
          if (turn !== this.#turn) break
          this.#take({
            seq: message.seq,
            payload: message.data,
            get: (name) => message.headers?.get(name) ?? '',
          })
        }
      } catch {
        // It can't be asked for now; the next try may be luckier, and `trouble` says meanwhile what is wrong.
      }
      if (turn === this.#turn) await new Promise((resolve) => setTimeout(resolve, FOLLOW_AGAIN_MS))
    }
  }

  /** What a message says, once: in the order of the stream. */
  apply(head: PieceHead, decode: () => readonly Entry[]): void {
    const applied = this.#log.apply(head)
    if (applied === 'old') return
    this.#parts.onPiece(head)
    for (const wake of this.#waiting) wake()
    this.#silentSinceMs = undefined
    if (applied === 'other') {
      this.#isUnsure = true
      this.#created = ''
      this.#toldTo = undefined
      this.settle().catch(() => {})
      return
    }
    if (!this.#follower) return
    this.#markTold(head.seq, head.writer)
    if (applied !== 'follows') {
      const at = head.first - 1
      this.#told = { epoch: head.epoch, head: at }
      this.#follower.onEpoch({ ...this.#log.state(), head: at })
    }
    if (head.marks.length === 0) return
    this.#told = { epoch: head.epoch, head: this.#log.head }
    this.#follower.onEntries(decode())
  }

  /** Waits until the log is known up to this message. @throws EngineAway where it does not come */
  async reach(seq: number): Promise<void> {
    const end = performance.now() + CATCH_UP_MS_MAX
    while (this.#log.lastSeq < seq) {
      const left = end - performance.now()
      if (left <= 0) {
        this.#isUnsure = true
        throw new EngineAway('NATS does not tell what others appended.')
      }
      const { isCluster } = this.#parts.link
      const before = this.#log.lastSeq
      await this.#nextPiece(isCluster ? Math.min(left, LEFT_OUT_MS_MAX) : left)
      if (isCluster && this.#log.lastSeq === before) await this.#takeLeftOut(seq, this.#turn)
    }
  }

  /** Waits until there is news of the log, for so long at most. */
  async #nextPiece(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    let wake: (() => void) | undefined
    await new Promise<void>((resolve) => {
      wake = resolve
      this.#waiting.add(wake)
      timer = setTimeout(resolve, ms)
    })
    clearTimeout(timer)
    if (wake) this.#waiting.delete(wake)
  }

  /** Looks whether what is in the stream comes; begins to read anew where it does not. */
  #checkSilence(lastSeq: number): void {
    const now = performance.now()
    if (lastSeq <= this.#log.lastSeq) this.#silentSinceMs = undefined
    else if (this.#silentSinceMs === undefined) this.#silentSinceMs = now
    else if (this.#parts.link.isCluster && now - this.#silentSinceMs < SILENCE_MS_MAX) {
      // What can't be read now is told by the consumer, or read at the next look.
      this.#takeLeftOut(lastSeq, this.#turn).catch(() => {})
    } else if (now - this.#silentSinceMs > SILENCE_MS_MAX) {
      this.#silentSinceMs = now
      this.#followAnew()
    }
  }
}
