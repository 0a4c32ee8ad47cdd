import type { Codec } from '@serverchannel/protocol'
import type { AudienceKey } from './audience-keys.ts'
import { Chunk } from './chunk.ts'
import type { Clock } from './clock.ts'
import type { Member, Membership } from './membership.ts'
import { Replacements } from './replacements.ts'
import type { Slot } from './slot.ts'

/** What a connection reads from the tail in one step. */
export interface Run {
  /** Left out where nothing in this part of the log is to be sent. */
  readonly chunk: Chunk | undefined
  /** The cursor after it. */
  readonly cursor: number
}

/** Who reads. */
export interface Reader extends Member {
  readonly codec: Codec
  /** Offset up to which it reads: what comes after that is not for it, or waits for the end of its key's interval. */
  readonly due: number
  /** Whether it is behind, and so gets only the newest of each key. */
  readonly isCatchingUp: boolean
}

/**
 * Reads the tail for connections, and shares what it made: within one round of the pump, connections that are at the
 * same cursor with news for one and the same key get the very same chunk.
 */
export class Runs {
  readonly #chunkBytesMax: number
  readonly #clock: Pick<Clock, 'now'>
  readonly #shared = new Map<AudienceKey, SharedRun[]>()

  constructor(chunkBytesMax: number, clock: Pick<Clock, 'now'>) {
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
    if (!first) return { chunk: undefined, cursor: reader.due }
    if (count === 1 && first.since <= cursor) {
      const run = this.#sharedRun(first.key, cursor, reader)
      if (run) return run
    }
    return this.#build(this.#collect(reader, cursor), reader.codec)
  }

  /** Forgets what was shared. To be called when a round ends: new entries make it stale. */
  clear(): void {
    this.#shared.clear()
  }

  /** The run of a key that many may share; undefined where some entry of it is not for everybody under the key. */
  #sharedRun(key: AudienceKey, cursor: number, reader: Reader): Run | undefined {
    const { codec, due, isCatchingUp } = reader
    let runs = this.#shared.get(key)
    if (!runs) {
      runs = []
      this.#shared.set(key, runs)
    }
    for (const known of runs) {
      if (known.after !== cursor || known.codec !== codec || known.newest !== key.newest) continue
      if (known.due === due && known.isCatchingUp === isCatchingUp) return known.run
    }
    const stretch = stretchAfter(key, cursor, due)
    const run = isForAll(key, stretch.slots, due) ? this.#build(withoutReplaced(stretch, reader), codec) : undefined
    if (runs.length < SHARED_RUNS_MAX) runs.push({ after: cursor, codec, newest: key.newest, due, isCatchingUp, run })
    return run
  }

  /** The slots of all the reader's keys after the cursor, in order, each once, without those that exclude it. */
  #collect(reader: Reader, cursor: number): Stretch {
    const found = new Map<number, Slot>()
    let end = reader.due
    for (const { key, since } of reader.memberships) {
      const stretch = stretchAfter(key, Math.max(cursor, since), reader.due)
      end = Math.min(end, stretch.end)
      for (const slot of stretch.slots) if (!slot.excludes(reader.id)) found.set(slot.offset, slot)
    }
    const slots = [...found.values()].filter((slot) => slot.offset <= end)
    return withoutReplaced({ slots: slots.sort((a, b) => a.offset - b.offset), end }, reader)
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
  readonly due: number
  readonly isCatchingUp: boolean
  readonly run: Run | undefined
}

/** Runs kept for one key in one round: more means that cursors differ, and then sharing is not to be had. */
const SHARED_RUNS_MAX = 16

/** Slots that one step looks at for one key, so that a reader far behind costs no more in a turn than any other. */
const STEP_SLOTS_MAX = 1024

/** Slots in order, and the offset up to which there are no others. */
interface Stretch {
  readonly slots: readonly Slot[]
  readonly end: number
}

function stretchAfter({ slots }: AudienceKey, cursor: number, due: number): Stretch {
  const found: Slot[] = []
  if (!slots) return { slots: found, end: due }
  const start = slots.indexAfter(cursor)
  const end = Math.min(slots.indexAfter(due), start + STEP_SLOTS_MAX)
  for (let i = start; i < end; i++) found.push(slots.at(i))
  return { slots: found, end: found.length === STEP_SLOTS_MAX ? (found.at(-1)?.offset ?? due) : due }
}

/** Whether all of it, and what stands for some of it further on, is for everybody under the key. */
function isForAll({ keyed }: AudienceKey, slots: readonly Slot[], due: number): boolean {
  return slots.every(
    ({ entry }) => !entry.audience.except && !(keyed && keyed.find(entry)?.newestUpTo(due).entry.audience.except),
  )
}

/**
 * Leaves out what a newer entry stands for: all of that for a reader which is behind. One that is live gets all, but for
 * what waited with others of its key for the end of an interval.
 */
function withoutReplaced({ slots, end }: Stretch, reader: Reader): Stretch {
  if (!slots.some(({ entry }) => entry.key !== undefined)) return { slots, end }
  const replacements = new Replacements(reader, reader.due)
  const kept = slots.filter(({ entry }) => {
    const mayBeReplaced = entry.key !== undefined && (reader.isCatchingUp || entry.intervalMs !== undefined)
    return !mayBeReplaced || replacements.of(entry) === 0
  })
  return { slots: kept, end }
}
