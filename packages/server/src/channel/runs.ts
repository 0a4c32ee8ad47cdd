import type { Codec } from '@serverchannel/protocol'
import type { AudienceKey } from './audience-keys.ts'
import { Chunk } from './chunk.ts'
import type { Clock } from './clock.ts'
import type { Slot } from './slot.ts'
import type { Tail } from './tail.ts'

/** What a connection reads from the tail in one step. */
export interface Run {
  /** Left out where nothing in this part of the log is to be sent. */
  readonly chunk: Chunk | undefined
  /** The cursor after it. */
  readonly cursor: number
}

/** One audience key that a connection is under. */
export interface Membership {
  readonly key: AudienceKey
  /** Entries up to this offset are not for the connection: it was not a member yet. */
  readonly since: number
}

/** Who reads. */
export interface Reader {
  readonly id: string
  readonly codec: Codec
  readonly memberships: readonly Membership[]
}

/**
 * Reads the tail for connections, and shares what it made: within one round of the pump, connections that are at the
 * same cursor with news for one and the same key get the very same chunk.
 */
export class Runs {
  readonly #tail: Tail
  readonly #chunkBytesMax: number
  readonly #clock: Pick<Clock, 'now'>
  readonly #shared = new Map<AudienceKey, SharedRun[]>()

  constructor(tail: Tail, chunkBytesMax: number, clock: Pick<Clock, 'now'>) {
    this.#tail = tail
    this.#chunkBytesMax = chunkBytesMax
    this.#clock = clock
  }

  /** What comes after the cursor, which the tail must reach. */
  after(cursor: number, reader: Reader): Run {
    let first: Membership | undefined
    let count = 0
    for (const membership of reader.memberships) {
      if (membership.key.newest <= cursor || membership.key.newest <= membership.since) continue
      first ??= membership
      count++
    }
    if (!first) return { chunk: undefined, cursor: this.#tail.head }
    if (count === 1 && first.since <= cursor) {
      const run = this.#sharedRun(first.key, cursor, reader.codec)
      if (run) return run
    }
    return this.#build(this.#collect(reader, cursor), reader.codec)
  }

  /** Forgets what was shared. To be called when a round ends: new entries make it stale. */
  clear(): void {
    this.#shared.clear()
  }

  /** The run of a key that many may share; undefined where some entry of it is not for everybody under the key. */
  #sharedRun(key: AudienceKey, cursor: number, codec: Codec): Run | undefined {
    let runs = this.#shared.get(key)
    if (!runs) {
      runs = []
      this.#shared.set(key, runs)
    }
    for (const known of runs) {
      if (known.after === cursor && known.codec === codec && known.newest === key.newest) return known.run
    }
    const stretch = { slots: slotsAfter(key, cursor), end: this.#tail.head }
    if (stretch.slots.length === STEP_SLOTS_MAX) stretch.end = lastOffset(stretch.slots)
    const isForAll = !stretch.slots.some((slot) => slot.entry.audience.except)
    const run = isForAll ? this.#build(stretch, codec) : undefined
    if (runs.length < SHARED_RUNS_MAX) runs.push({ after: cursor, codec, newest: key.newest, run })
    return run
  }

  /** The slots of all the reader's keys after the cursor, in order, each once, without those that exclude it. */
  #collect(reader: Reader, cursor: number): Stretch {
    const found = new Map<number, Slot>()
    let end = this.#tail.head
    for (const { key, since } of reader.memberships) {
      const slots = slotsAfter(key, Math.max(cursor, since))
      if (slots.length === STEP_SLOTS_MAX) end = Math.min(end, lastOffset(slots))
      for (const slot of slots) if (!slot.excludes(reader.id)) found.set(slot.offset, slot)
    }
    const slots = [...found.values()].filter((slot) => slot.offset <= end)
    return { slots: slots.sort((a, b) => a.offset - b.offset), end }
  }

  #build({ slots, end }: Stretch, codec: Codec): Run {
    const now = this.#clock.now()
    const frames: Chunk[] = []
    let bytes = 0
    let cursor = end
    for (const slot of slots) {
      if (slot.isExpired(now)) continue
      const frame = slot.frame(codec)
      if (frames.length > 0 && bytes + frame.payload.length > this.#chunkBytesMax) {
        cursor = slot.offset - 1
        break
      }
      frames.push(frame)
      bytes += frame.payload.length
    }
    if (frames.length <= 1) return { chunk: frames[0], cursor }
    return {
      chunk: new Chunk(
        Buffer.concat(
          frames.map((frame) => frame.payload),
          bytes,
        ),
        frames.length,
      ),
      cursor,
    }
  }
}

interface SharedRun {
  readonly after: number
  readonly codec: Codec
  readonly newest: number
  readonly run: Run | undefined
}

/** Runs kept for one key in one round: more means that cursors differ, and then sharing is not to be had. */
const SHARED_RUNS_MAX = 16

/** Slots that one step looks at for one key, so that a reader far behind costs no more in a turn than any other. */
const STEP_SLOTS_MAX = 1024

/** Slots in order, and the offset up to which there are no others. */
interface Stretch {
  readonly slots: readonly Slot[]
  end: number
}

function slotsAfter(key: AudienceKey, cursor: number): Slot[] {
  const found: Slot[] = []
  const { slots } = key
  if (!slots) return found
  const start = slots.indexAfter(cursor)
  const end = Math.min(slots.count, start + STEP_SLOTS_MAX)
  for (let i = start; i < end; i++) found.push(slots.at(i))
  return found
}

function lastOffset(slots: readonly Slot[]): number {
  return slots.at(-1)?.offset ?? 0
}
