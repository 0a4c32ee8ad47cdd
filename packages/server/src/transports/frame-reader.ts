import type { Limits } from '../options.ts'
import { Receiver } from './ws-parts.ts'

/** Who gets what a peer's frames say. */
export interface FrameTaker {
  onMessage(data: Buffer, isBinary: boolean): void
  onPing(data: Buffer): void
  /** Its close frame: nothing is read after it. `code` is 1005 where it has none. */
  onConcluded(code: number, reason: Buffer): void
  /** It broke the protocol or went over a bound: nothing is read any more. `code`: to close with. */
  onBroken(code: number): void
}

/**
 * Reads the frames of all peers. Between messages a reader knows nothing of its peer, so that one that is idle has none:
 * what it sends is read by any that is free, and only who is in the middle of a message keeps the one that began it.
 */
export class FrameReaders {
  readonly #limits: Limits
  readonly #free: FrameReader[] = []

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /**
   * Tells the taker what the bytes bring, before it returns.
   *
   * @param kept what the read before returned
   * @returns the reader to go on with; undefined where any will do
   */
  read(bytes: Buffer, taker: FrameTaker, kept: FrameReader | undefined): FrameReader | undefined {
    const reader = kept ?? this.#free.pop() ?? new FrameReader(this.#limits)
    reader.read(bytes, taker)
    if (!reader.isBetweenMessages) return reader
    if (this.#free.length < FREE_MAX) this.#free.push(reader)
    return undefined
  }
}

/** Most often one is enough: a read ends before the next begins. */
const FREE_MAX = 8

/** Frames themselves are read by ws: masks, lengths, fragments, UTF-8 and their bounds. */
export class FrameReader {
  readonly #receiver: Receiver
  #taker: FrameTaker | undefined
  #isOver = false

  constructor({ receivedFrameBytesMax: maxPayload, receivedFragmentsMax: maxFragments }: Limits) {
    this.#receiver = new Receiver({ isServer: true, maxPayload, maxFragments })
      .on('message', (data: Buffer, isBinary: boolean) => this.#taker?.onMessage(data, isBinary))
      .on('ping', (data: Buffer) => this.#taker?.onPing(data))
      .on('conclude', (code: number, reason: Buffer) => {
        this.#isOver = true
        this.#taker?.onConcluded(code, reason)
      })
      .on('error', () => {})
  }

  /** Whether it has given out all that came, and what comes next begins a message. */
  get isBetweenMessages(): boolean {
    const { _bufferedBytes, _state, _fragmented } = this.#receiver
    return !this.#isOver && _bufferedBytes === 0 && _state === 0 && _fragmented === 0
  }

  read(bytes: Buffer, taker: FrameTaker): void {
    this.#taker = taker
    // Not by `write`, which settles a stream's state for each chunk, and says an error only later.
    const { _write: take } = this.#receiver
    take.call(this.#receiver, bytes, 'binary', this.#onRead)
    if (this.isBetweenMessages) this.#taker = undefined
  }

  readonly #onRead = (error?: NodeJS.ErrnoException | null): void => {
    if (!error || this.#isOver) return
    this.#isOver = true
    this.#taker?.onBroken(CLOSE_CODES.get(error.code ?? '') ?? PROTOCOL_ERROR)
  }
}

const PROTOCOL_ERROR = 1002

/** As ws itself closes for them (its documentation, "Error codes"); for all others with 1002. */
const CLOSE_CODES: ReadonlyMap<string, number> = new Map([
  ['WS_ERR_INVALID_UTF8', 1007],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008],
  ['WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', 1009],
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009],
])
