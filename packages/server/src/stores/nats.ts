import { randomBytes } from 'node:crypto'
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream'
import { ChannelError } from '../channel/channel-error.ts'
import { type Draft, type Entry, toEntry } from '../channel/entry.ts'
import type { Appended, Durability, LogFollower, LogState, Store, StoreRead } from '../channel/store.ts'
import { APPEND_LIMITS, AppendQueue, EngineAway } from './append-queue.ts'
import type { NatsAddress } from './nats-address.ts'
import { NatsLink, type StreamFound } from './nats-link.ts'
import { NatsLog } from './nats-log.ts'
import { decodeEntries, decodeHead, encodePiece, type PieceHead } from './nats-message.ts'
import type { HistoryBounds } from './open-store.ts'

const OPEN_MS_MAX = 10_000
const OPEN_AGAIN_MS = 100
const CHECK_MS = 1000
/** Messages that do not come for so long, though they are there, do not come from this consumer. */
const SILENCE_MS_MAX = 5000
const CATCH_UP_MS_MAX = 3000
const FOLLOW_AGAIN_MS = 100
const TROUBLE_MS = 5000
const TRIES_MAX = 50
const READS_AT_ONCE = 16
/** Of drafts that go together: with their header well below 1 MiB, which is what NATS takes if it isn't told otherwise. */
const PIECE_BYTES_MAX = 512 * 1024
const HEADER_BYTES = 32
const FIELD_BYTES = 4
const LEVELS: readonly Durability[] = ['memory', 'logged', 'synced', 'replicated']

/**
 * Keeps the log in a JetStream stream, for any number of nodes. A message is one piece: it is appended only where the
 * stream's last message is the one that its writer knew, so that offsets and ids follow from the messages alone. A message
 * without drafts begins another epoch, once for all nodes, where NATS may have lost what it had.
 */
export class NatsStore implements Store {
  readonly #address: NatsAddress
  readonly #bounds: HistoryBounds
  readonly #node = randomBytes(9).toString('base64url')
  readonly #queue: AppendQueue
  #link: NatsLink | undefined
  #log: NatsLog
  #created = ''
  #found: StreamFound | undefined
  #follower: LogFollower | undefined
  /** What the follower was told last. */
  #told = { epoch: '', head: 0 }
  /** The connection was lost: what the stream's last message is has to be looked at. */
  #isUnsure = false
  /** Not while the log is read anew: the follower is told first where it goes on. */
  #isFollowing = false
  #turn = 0
  #messages: ConsumerMessages | undefined
  #onProgress: (() => void) | undefined
  #settling: Promise<void> | undefined
  /** The piece that is written now: its number, the offsets by where it may begin, and where it does begin. */
  #piece:
    | { number: number; writer: string; attempts: Map<number, readonly number[]>; first: number | undefined }
    | undefined
  #trouble: { readonly text: string; readonly sinceMs: number } | undefined
  #timer: NodeJS.Timeout | undefined
  #isChecking = false
  #silentSinceMs: number | undefined
  /** What was not kept any more at the last look is dropped at this one: nodes that read along are no further back. */
  #dropBefore = 0
  #isOpen = false
  #closing: Promise<void> | undefined

  constructor(address: NatsAddress, bounds: HistoryBounds) {
    this.#address = address
    this.#bounds = bounds
    this.#log = new NatsLog(bounds)
    this.#queue = new AppendQueue({
      engine: 'NATS',
      write: (drafts, number) => this.#write(drafts, number),
      limits: { ...APPEND_LIMITS, bytesMax: bounds.storeWaitingBytesMax, pieceBytesMax: PIECE_BYTES_MAX },
    })
  }

  get durability(): Durability {
    const { replicas = this.#address.replicas, storage = this.#address.storage } = this.#found ?? {}
    if (replicas > 1) return 'replicated'
    if (storage === 'memory') return 'memory'
    return this.#address.isSynced ? 'synced' : 'logged'
  }

  get trouble(): string | undefined {
    if (!this.#isOpen) return 'The NATS store is not open.'
    if (this.#link?.isReady === false) return `NATS can't be reached: ${reason(this.#link.error)}`
    if (this.#queue.away) return `NATS does not take appends: ${reason(this.#queue.away)}`
    return this.#trouble?.text
  }

  async open(follower: LogFollower): Promise<LogState> {
    this.#link = await this.#connect()
    try {
      await this.#settle()
      await this.#link.listen((text) => this.#hear(text))
      this.#requireDurability()
    } catch (cause) {
      await this.#link.close()
      if (cause instanceof ChannelError) throw cause
      throw new ChannelError('store_failed', `NATS can't be used for the log: ${reason(cause)}`, { cause })
    }
    this.#isOpen = true
    this.#timer = setInterval(() => void this.#check(), CHECK_MS)
    this.#timer.unref()
    this.#follower = follower
    const state = this.#log.state()
    this.#told = { epoch: state.epoch, head: state.head }
    return state
  }

  async append(drafts: readonly Draft[]): Promise<Appended> {
    if (!this.#isOpen) throw new ChannelError('channel_closed', 'The NATS store is closed; the message was not posted.')
    if (drafts.length === 0) return this.#appended([])
    return await this.#queue.append(drafts)
  }

  async read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    const link = this.#openLink()
    const places = this.#log.find(after, countMax, bytesMax)
    if (!places) return { entries: [], isTrimmed: true }
    const seqs = [...new Set(places.map(({ seq }) => seq))]
    const entries = new Map<number, Entry>()
    for (let start = 0; start < seqs.length; start += READS_AT_ONCE) {
      const messages = await Promise.all(seqs.slice(start, start + READS_AT_ONCE).map((seq) => link.read(seq)))
      for (const message of messages) {
        const head = message && decodeHead(message.seq, (name) => message.get(name))
        if (!message || !head) return { entries: [], isTrimmed: true }
        for (const entry of decodeEntries(head, message.payload)) entries.set(entry.offset, entry)
      }
    }
    const found = places.map(({ offset }) => entries.get(offset))
    if (found.every((entry) => entry !== undefined)) return { entries: found, isTrimmed: false }
    this.#isUnsure = true
    throw new ChannelError('store_failed', 'The log was lost or rewound while it was read; read again.')
  }

  state(): LogState {
    return this.#log.state()
  }

  async signal(text: string): Promise<void> {
    try {
      await this.#openLink().signal(`${this.#node} ${text}`)
    } catch (cause) {
      if (!(cause instanceof EngineAway)) throw cause
      throw new Error("NATS can't be reached; nobody was told.", { cause })
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isOpen = false
    clearInterval(this.#timer)
    await this.#queue.close()
    this.#follower = undefined
    this.#turn++
    void this.#messages?.close()
    await this.#link?.close()
  }

  #openLink(): NatsLink {
    if (!this.#link || !this.#isOpen) throw new ChannelError('channel_closed', 'The NATS store is closed.')
    return this.#link
  }

  async #connect(): Promise<NatsLink> {
    const end = performance.now() + OPEN_MS_MAX
    for (;;) {
      try {
        return await NatsLink.connect(this.#address, () => this.#onConnected())
      } catch (cause) {
        if (performance.now() > end) {
          throw new ChannelError('store_failed', `NATS can't be used for the log: ${reason(cause)}`, { cause })
        }
        await new Promise((resolve) => setTimeout(resolve, OPEN_AGAIN_MS))
      }
    }
  }

  #requireDurability(): void {
    const { durability } = this.#bounds
    if (durability === undefined || LEVELS.indexOf(this.durability) >= LEVELS.indexOf(durability)) return
    const settings =
      durability === 'synced' ? "'sync_interval: always' there and '?sync=always' here" : 'a stream in files'
    const message = `NATS keeps this stream at the level '${this.durability}'; '${durability}' needs ${settings}.`
    throw new ChannelError('store_failed', message)
  }

  #hear(text: string): void {
    const space = text.indexOf(' ')
    if (space !== -1 && text.slice(0, space) !== this.#node) this.#follower?.onSignal(text.slice(space + 1))
  }

  #onConnected(): void {
    this.#isUnsure = true
    if (!this.#isOpen || !this.#link) return
    // The consumer of before would find out by itself that it is none any more, but not soon.
    if (this.#isFollowing) this.#followAnew(this.#link)
    this.#settle().then(
      () => this.#queue.resume(),
      () => {},
    )
  }

  #appended(offsets: readonly number[]): Appended {
    return { epoch: this.#log.epoch, offsets, durability: this.durability }
  }

  /** Writes one piece. Called again with its number, it finds out first whether it is in the log. */
  async #write(drafts: readonly Draft[], number: number): Promise<Appended> {
    const link = this.#link
    if (!link) throw new EngineAway('The NATS store has no connection.')
    const piece =
      this.#piece?.number === number
        ? this.#piece
        : {
            number,
            writer: `${this.#node}-${number}`,
            attempts: new Map<number, readonly number[]>(),
            first: undefined,
          }
    if (piece === this.#piece) await this.#settle()
    this.#piece = piece
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (piece.first !== undefined) return this.#appended(piece.attempts.get(piece.first) ?? [])
      if (this.#settling || this.#isUnsure || this.#whyAnother() !== undefined) await this.#settle()
      const log = this.#log
      const { offsets, fresh } = log.place(drafts)
      if (fresh.length === 0) return this.#appended(offsets)
      const { epoch, head, lastSeq } = log
      piece.attempts.set(head + 1, offsets)
      const about = { epoch, first: head + 1, life: link.life, writer: piece.writer }
      const { fields, payload, marks } = encodePiece(about, fresh)
      this.#requireRoom(fields, payload)
      const seq = await this.#send(link, fields, payload, lastSeq)
      // Another node was faster: what it wrote comes first.
      if (seq === undefined) await this.#reach(lastSeq + 1)
      // The log was read anew meanwhile: what is before this piece may not be known again yet.
      else if (log !== this.#log) await this.#reach(seq)
      else this.#apply({ ...about, seq, marks }, () => fresh.map((draft, index) => toEntry(draft, head + 1 + index)))
    }
    throw new EngineAway('Other nodes are always faster.')
  }

  async #send(
    link: NatsLink,
    fields: Parameters<NatsLink['append']>[0],
    payload: Uint8Array,
    lastSeq: number,
  ): Promise<number | undefined> {
    try {
      const seq = await link.append(fields, payload, lastSeq)
      this.#trouble = undefined
      return seq
    } catch (cause) {
      if (cause instanceof EngineAway) throw cause
      const text = `NATS refuses appends: ${reason(cause)}`
      this.#trouble = { text, sinceMs: performance.now() }
      throw new ChannelError('store_failed', `${text} The message was not posted.`, { cause })
    }
  }

  #requireRoom(fields: readonly (readonly [string, string])[], payload: Uint8Array): void {
    let bytes = payload.length + HEADER_BYTES
    for (const [name, value] of fields) bytes += name.length + value.length + FIELD_BYTES
    const bytesMax = this.#link?.messageBytesMax ?? 0
    if (bytes <= bytesMax) return
    const text = `One append has ${bytes} bytes, and NATS takes ${bytesMax} in a message: raise 'max_payload' in its configuration, or post less at once.`
    throw new ChannelError('store_failed', text)
  }

  /** What the log is in NATS, and whether it is still the one that this node knows. @throws EngineAway */
  #settle(): Promise<void> {
    this.#settling ??= this.#settleNow().finally(() => {
      this.#settling = undefined
    })
    return this.#settling
  }

  async #settleNow(): Promise<void> {
    const link = this.#link
    if (!link) throw new EngineAway('The NATS store has no connection.')
    const seen = { epoch: this.#log.epoch, head: this.#log.head }
    try {
      await this.#settleAs(link, seen)
    } catch (error) {
      this.#isUnsure = true
      throw error
    }
  }

  async #settleAs(link: NatsLink, seen: { readonly epoch: string; readonly head: number }): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const { lastSeq, lastWriter } = this.#log
      // From here on another connection would be news.
      const isUnsure = this.#isUnsure
      this.#isUnsure = false
      const found = await link.find()
      this.#found = found
      const isKnown =
        this.#isFollowing && (await this.#isKnown(link, found, lastSeq, isUnsure ? lastWriter : undefined))
      if (!isKnown) await this.#load(link, found)
      else if (found.lastSeq > this.#log.lastSeq) await this.#reach(found.lastSeq)
      const isBehind = seen.epoch === this.#log.epoch && this.#log.head < seen.head
      const why = isBehind ? 'the newest entries are gone' : this.#whyAnother()
      if (why === undefined || (await this.#beginEpoch(link, why))) {
        this.#tellState()
        if (!this.#isFollowing) this.#followAnew(link)
        return
      }
    }
    throw new EngineAway('Other nodes are always faster.')
  }

  /** Why the log needs another epoch; undefined where it goes on. */
  #whyAnother(): string | undefined {
    if (this.#log.epoch === '') return 'there is no log'
    const life = this.#link?.life ?? ''
    if (life === '' || life === this.#log.life || this.#address.isSynced) return undefined
    return 'NATS was restarted, and may not have synced the newest entries'
  }

  /** @returns false where another node was faster with whatever it wrote */
  async #beginEpoch(link: NatsLink, why: string): Promise<boolean> {
    const isFirst = this.#log.epoch === '' && this.#told.epoch === ''
    const { head, lastSeq } = this.#log
    const epoch = randomBytes(9).toString('base64url')
    const about = { epoch, first: head + 1, life: link.life, writer: `${this.#node}-${epoch}` }
    const { fields, payload, marks } = encodePiece(about, [])
    const seq = await link.append(fields, payload, lastSeq)
    if (seq === undefined) {
      // It comes by itself where this node follows the log, and is loaded where it does not.
      if (this.#isFollowing) await this.#reach(lastSeq + 1)
      return false
    }
    this.#apply({ ...about, seq, marks }, () => [])
    if (!isFirst) this.#bounds.onWarning(`NATS: the log has a new epoch, as ${why}.`)
    return true
  }

  /**
   * Whether the stream is the one that this node knew before it was looked at: what was appended meanwhile may be known
   * already, and is no sign of anything. Where a writer is given, the last message known has to be that one's still.
   */
  async #isKnown(
    link: NatsLink,
    found: StreamFound,
    knownSeq: number,
    knownWriter: string | undefined,
  ): Promise<boolean> {
    if (this.#log.epoch === '' || found.created !== this.#created || found.lastSeq < knownSeq) return false
    if (knownWriter === undefined) return true
    if (found.firstSeq > knownSeq) return false
    const message = await link.read(knownSeq)
    const head = message && decodeHead(message.seq, (name) => message.get(name))
    return head?.writer === knownWriter
  }

  /** Reads anew where everything is: without the bodies. */
  async #load(link: NatsLink, found: StreamFound): Promise<void> {
    this.#isFollowing = false
    this.#turn++
    void this.#messages?.close()
    const log = new NatsLog(this.#bounds)
    await link.readHeads(found.count > 0 ? found.firstSeq : found.lastSeq + 1, found.lastSeq, (message) => {
      const head = decodeHead(message.seq, (name) => message.get(name))
      if (!head) return
      log.apply(head, true)
      this.#notice(head)
    })
    log.passTo(found.lastSeq)
    this.#log = log
    this.#created = found.created
    this.#silentSinceMs = undefined
  }

  /** Tells the follower where the log goes on, where that is not where it was told last. */
  #tellState(): void {
    const state = this.#log.state()
    const { epoch, head } = this.#told
    if (!this.#follower || (state.epoch === epoch && state.head === head)) return
    this.#told = { epoch: state.epoch, head: state.head }
    this.#follower.onEpoch(state)
  }

  #followAnew(link: NatsLink): void {
    this.#isFollowing = true
    void this.#messages?.close()
    void this.#follow(link, ++this.#turn)
  }

  /** Reads along, until it is told otherwise. */
  async #follow(link: NatsLink, turn: number): Promise<void> {
    while (turn === this.#turn) {
      try {
        const messages = await link.follow(this.#log.lastSeq + 1, false)
        if (turn !== this.#turn) {
          void messages.close()
          return
        }
        this.#messages = messages
        for await (const message of messages) {
          if (turn !== this.#turn) break
          this.#take(message)
        }
      } catch {
        // It can't be asked for now; the next try may be luckier, and `trouble` says meanwhile what is wrong.
      }
      if (turn === this.#turn) await new Promise((resolve) => setTimeout(resolve, FOLLOW_AGAIN_MS))
    }
  }

  #take(message: JsMsg): void {
    const head = decodeHead(message.seq, (name) => message.headers?.get(name) ?? '')
    if (head) this.#apply(head, () => decodeEntries(head, message.data))
    else this.#log.passTo(message.seq)
    this.#onProgress?.()
  }

  #apply(head: PieceHead, decode: () => readonly Entry[]): void {
    const applied = this.#log.apply(head)
    if (applied === 'old') return
    this.#notice(head)
    this.#silentSinceMs = undefined
    if (applied === 'other') {
      this.#isUnsure = true
      this.#created = ''
      this.#settle().catch(() => {})
      return
    }
    if (!this.#follower) return
    if (applied !== 'follows') {
      const at = head.first - 1
      this.#told = { epoch: head.epoch, head: at }
      this.#follower.onEpoch({ ...this.#log.state(), head: at })
    }
    if (head.marks.length === 0) return
    this.#told = { epoch: head.epoch, head: this.#log.head }
    this.#follower.onEntries(decode())
  }

  /** The piece that is written now is in the log. */
  #notice({ writer, first }: PieceHead): void {
    if (this.#piece?.writer === writer) this.#piece.first = first
  }

  /** Waits until the log is known up to this message. @throws EngineAway where it does not come */
  async #reach(seq: number): Promise<void> {
    const end = performance.now() + CATCH_UP_MS_MAX
    while (this.#log.lastSeq < seq) {
      const left = end - performance.now()
      if (left <= 0) {
        this.#isUnsure = true
        throw new EngineAway('NATS does not tell what others appended.')
      }
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#onProgress = resolve
        timer = setTimeout(resolve, left)
      })
      clearTimeout(timer)
    }
  }

  /** Once a second: is it the log that the node knows, does what is appended come, what is too old. */
  async #check(): Promise<void> {
    const link = this.#link
    if (this.#isChecking || !link?.isReady) return
    this.#isChecking = true
    try {
      const knownSeq = this.#log.lastSeq
      const found = await link.find()
      this.#found = found
      if (this.#trouble && performance.now() - this.#trouble.sinceMs > TROUBLE_MS) this.#trouble = undefined
      const isAnother = found.created !== this.#created || found.lastSeq < knownSeq
      if (isAnother || this.#isUnsure || this.#whyAnother() !== undefined) {
        await this.#settle()
        return
      }
      this.#log.lostBefore(found.firstSeq)
      this.#checkReader(link, found.lastSeq)
      this.#log.trim()
      if (this.#dropBefore > found.firstSeq) await link.dropBefore(this.#dropBefore)
      this.#dropBefore = this.#log.firstSeq
    } catch (error) {
      if (!(error instanceof EngineAway)) {
        this.#trouble = { text: `NATS refuses what the log needs: ${reason(error)}`, sinceMs: performance.now() }
      }
    } finally {
      this.#isChecking = false
    }
  }

  #checkReader(link: NatsLink, lastSeq: number): void {
    const now = performance.now()
    if (lastSeq <= this.#log.lastSeq) this.#silentSinceMs = undefined
    else if (this.#silentSinceMs === undefined) this.#silentSinceMs = now
    else if (now - this.#silentSinceMs > SILENCE_MS_MAX) {
      this.#silentSinceMs = now
      this.#followAnew(link)
    }
  }
}

function reason(error: unknown): string {
  const cause = error instanceof EngineAway && error.cause !== undefined ? error.cause : error
  return cause instanceof Error && cause.message !== '' ? cause.message : 'there is no answer.'
}
