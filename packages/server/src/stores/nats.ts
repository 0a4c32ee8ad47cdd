import { randomBytes } from 'node:crypto'
import { ChannelError } from '../channel/channel-error.ts'
import { type Draft, type Entry, toEntry } from '../channel/entry.ts'
import type { Appended, Durability, LogFollower, LogState, Store, StoreRead } from '../channel/store.ts'
import { APPEND_LIMITS, AppendQueue, EngineAway } from './append-queue.ts'
import type { HistoryBounds } from './history-bounds.ts'
import type { NatsAddress } from './nats-address.ts'
import { NatsLink } from './nats-link.ts'
import { decodeEntries, decodeHead, encodePiece } from './nats-message.ts'
import { NatsReader } from './nats-reader.ts'

const OPEN_MS_MAX = 10_000
const OPEN_AGAIN_MS = 100
const CHECK_MS = 1000
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
  #reader: NatsReader | undefined
  /** The piece that is written now: its number, the offsets by where it may begin, and where it does begin. */
  #piece:
    | { number: number; writer: string; attempts: Map<number, readonly number[]>; first: number | undefined }
    | undefined
  #trouble: { readonly text: string; readonly sinceMs: number } | undefined
  #timer: NodeJS.Timeout | undefined
  #isChecking = false
  /** What was not kept any more at the last look is dropped at this one: nodes that read along are no further back. */
  #dropBefore = 0
  #isOpen = false
  #closing: Promise<void> | undefined

  constructor(address: NatsAddress, bounds: HistoryBounds) {
    this.#address = address
    this.#bounds = bounds
    this.#queue = new AppendQueue({
      engine: 'NATS',
      write: (drafts, number) => this.#write(drafts, number),
      limits: { ...APPEND_LIMITS, bytesMax: bounds.storeWaitingBytesMax, pieceBytesMax: PIECE_BYTES_MAX },
    })
  }

  get durability(): Durability {
    const { replicas = this.#address.replicas, storage = this.#address.storage } = this.#reader?.found ?? {}
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
    const link = await this.#connect()
    const reader = new NatsReader({
      link,
      bounds: this.#bounds,
      isSynced: this.#address.isSynced,
      onPiece: (head) => {
        if (this.#piece?.writer === head.writer) this.#piece.first = head.first
      },
    })
    this.#link = link
    this.#reader = reader
    try {
      await reader.settle()
      await link.listen((text) => this.#hear(follower, text))
      this.#requireDurability()
    } catch (cause) {
      reader.close()
      await link.close()
      if (cause instanceof ChannelError) throw cause
      throw new ChannelError('store_failed', `NATS can't be used for the log: ${reason(cause)}`, { cause })
    }
    this.#isOpen = true
    this.#timer = setInterval(() => void this.#check(), CHECK_MS)
    this.#timer.unref()
    return reader.tell(follower)
  }

  async append(drafts: readonly Draft[]): Promise<Appended> {
    if (!this.#isOpen) throw new ChannelError('channel_closed', 'The NATS store is closed; the message was not posted.')
    if (drafts.length === 0) return this.#appended(this.#openReader(), [])
    return await this.#queue.append(drafts)
  }

  async read(after: number, countMax: number, bytesMax: number): Promise<StoreRead> {
    const link = this.#openLink()
    const reader = this.#openReader()
    const places = reader.log.find(after, countMax, bytesMax)
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
    reader.doubt()
    throw new ChannelError('store_failed', 'The log was lost or rewound while it was read; read again.')
  }

  state(): LogState {
    return this.#reader?.log.state() ?? { epoch: '', head: 0, trimmedTo: 0 }
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
    this.#reader?.close()
    await this.#link?.close()
  }

  #openReader(): NatsReader {
    if (!this.#reader || !this.#isOpen) throw new ChannelError('channel_closed', 'The NATS store is closed.')
    return this.#reader
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

  #hear(follower: LogFollower, text: string): void {
    const space = text.indexOf(' ')
    if (space !== -1 && text.slice(0, space) !== this.#node && this.#isOpen) follower.onSignal(text.slice(space + 1))
  }

  #onConnected(): void {
    const reader = this.#reader
    reader?.doubt()
    if (!reader || !this.#isOpen) return
    reader.settle().then(
      () => this.#queue.resume(),
      () => {},
    )
  }

  #appended(reader: NatsReader, offsets: readonly number[]): Appended {
    return { epoch: reader.log.epoch, offsets, durability: this.durability }
  }

  /** Writes one piece. Called again with its number, it finds out first whether it is in the log. */
  async #write(drafts: readonly Draft[], number: number): Promise<Appended> {
    const link = this.#link
    const reader = this.#reader
    if (!link || !reader) throw new EngineAway('The NATS store has no connection.')
    const piece =
      this.#piece?.number === number
        ? this.#piece
        : {
            number,
            writer: `${this.#node}-${number}`,
            attempts: new Map<number, readonly number[]>(),
            first: undefined,
          }
    if (piece === this.#piece) await reader.settle()
    this.#piece = piece
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (piece.first !== undefined) return this.#appended(reader, piece.attempts.get(piece.first) ?? [])
      if (reader.isUnsettled) await reader.settle()
      const { log } = reader
      const { offsets, fresh } = log.place(drafts)
      if (fresh.length === 0) return this.#appended(reader, offsets)
      const { epoch, head, lastSeq } = log
      piece.attempts.set(head + 1, offsets)
      const about = { epoch, first: head + 1, life: link.life, writer: piece.writer }
      const { fields, payload, marks } = encodePiece(about, fresh)
      this.#requireRoom(fields, payload)
      const seq = await this.#send(link, fields, payload, lastSeq)
      // Another node was faster: what it wrote comes first.
      if (seq === undefined) await reader.reach(lastSeq + 1)
      // The log was read anew meanwhile: what is before this piece may not be known again yet.
      else if (log !== reader.log) await reader.reach(seq)
      else reader.apply({ ...about, seq, marks }, () => fresh.map((draft, index) => toEntry(draft, head + 1 + index)))
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
    throw new ChannelError('body_too_large', text)
  }

  /** Once a second: is it the log that the node knows, does what is appended come, what is too old. */
  async #check(): Promise<void> {
    const { link, reader } = { link: this.#link, reader: this.#reader }
    if (this.#isChecking || !link?.isReady || !reader) return
    this.#isChecking = true
    try {
      const found = await reader.check()
      if (this.#trouble && performance.now() - this.#trouble.sinceMs > TROUBLE_MS) this.#trouble = undefined
      const before = this.#dropBefore
      this.#dropBefore = Math.min(reader.log.firstSeq, found.lastSeq)
      if (before > found.firstSeq && before <= this.#dropBefore) await link.dropBefore(before)
    } catch (error) {
      if (!(error instanceof EngineAway)) {
        this.#trouble = { text: `NATS refuses what the log needs: ${reason(error)}`, sinceMs: performance.now() }
      }
    } finally {
      this.#isChecking = false
    }
  }
}

function reason(error: unknown): string {
  const cause = error instanceof EngineAway && error.cause !== undefined ? error.cause : error
  return cause instanceof Error && cause.message !== '' ? cause.message : 'there is no answer.'
}
