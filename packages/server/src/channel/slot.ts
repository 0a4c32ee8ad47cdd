import { type Codec, formatPosition } from '@serverchannel/protocol'
import { Chunk, toBytes } from './chunk.ts'
import type { Entry } from './entry.ts'

const FRAME_COPIES = 2
/** What an entry's objects count for beyond what the envelope adds to a frame. */
const FRAME_SAVED_BYTES = 350

/** Ids that are looked through one by one sooner than put into a set. */
const LISTED_MAX = 8

/** An entry's place in the tail, with what was encoded of it. */
export class Slot {
  readonly offset: number
  readonly entry: Entry
  readonly bytes: number
  /** Connections of this process that it was for when it was delivered. */
  connections = 0
  readonly #epoch: string
  #codec: Codec | undefined
  #frame: Chunk | undefined
  #otherFrames: Map<Codec, Chunk> | undefined
  #excluded: Set<string> | undefined

  constructor(entry: Entry, epoch: string) {
    this.offset = entry.offset
    this.entry = entry
    // The frame's payload and the transport's copy with its header stay with the slot.
    this.bytes = entry.bytes + FRAME_COPIES * (entry.bytes - FRAME_SAVED_BYTES)
    this.#epoch = epoch
  }

  /** The entry as bytes, encoded once for each codec. */
  frame(codec: Codec): Chunk {
    if (this.#codec === codec && this.#frame) return this.#frame
    const known = this.#otherFrames?.get(codec)
    if (known) return known
    const frame = new Chunk(encodeEntry(this.entry, this.#epoch, codec), 1)
    if (!this.#frame) {
      this.#codec = codec
      this.#frame = frame
    } else {
      this.#otherFrames ??= new Map()
      this.#otherFrames.set(codec, frame)
    }
    return frame
  }

  isExpired(now: number): boolean {
    const { expiresAt } = this.entry
    return expiresAt !== undefined && expiresAt <= now
  }

  /** Asked of every connection under the audience's keys, so that a long list must not be looked through each time. */
  excludes(connectionId: string): boolean {
    const { except } = this.entry.audience
    if (!except) return false
    if (except.length <= LISTED_MAX) return except.includes(connectionId)
    this.#excluded ??= new Set(except)
    return this.#excluded.has(connectionId)
  }
}

/** The bytes of the call that brings an entry to a client. */
export function encodeEntry(entry: Entry, epoch: string, codec: Codec): Buffer {
  const data = codec.encodeServerMessage({
    id: entry.id,
    sender: entry.sender,
    bodyTypeName: entry.bodyTypeName,
    channelType: entry.channelType,
    sentBy: entry.sentBy,
    body: entry.body,
    position: formatPosition(epoch, entry.offset),
  })
  return toBytes(data)
}
