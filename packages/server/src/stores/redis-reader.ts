import type { Entry } from '../channel/entry.ts'
import { EngineAway } from './append-queue.ts'
import { entryFromText } from './draft-text.ts'
import type { RedisAddress, RedisKeys } from './redis-address.ts'
import { RedisLink } from './redis-link.ts'
import { READ } from './redis-scripts.ts'

/** Entries of up to 1 MiB come by number here: more than a few come by size, with a script. */
const COUNT_MAX = 16
const STEP_COUNT_MAX = 1000
const STEP_BYTES_MAX = 1024 * 1024
/** Redis answers within this time, entries or not, so that a connection which is dead is known to be. */
const BLOCK_MS = 2000
const BLOCK_GRACE_MS = 2000
const AGAIN_MS = 50

export interface RedisReaderParts {
  readonly address: RedisAddress
  readonly keys: RedisKeys
  readonly onEntries: (entries: readonly Entry[]) => void
  /** It may be another log by now: that has to be looked at. Where it is not, reading goes on as if nothing had been. */
  readonly onDoubt: () => void
}

/** Reads along: one connection that waits at the log's head. */
export class RedisReader {
  readonly #parts: RedisReaderParts
  readonly #link: RedisLink
  #epoch: string | undefined
  #delivered = 0
  #isLost = false
  /** Numbers the logs that were followed, so that an answer of an earlier one is known. */
  #turn = 0
  #isRunning = false
  #isClosed = false
  #wake: (() => void) | undefined

  constructor(parts: RedisReaderParts) {
    this.#parts = parts
    this.#link = new RedisLink(parts.address, 'reader', () => this.#wake?.())
  }

  /** Offset of the newest entry that was told. */
  get delivered(): number {
    return this.#delivered
  }

  /** What comes next can't be told: it waits for what to follow instead. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Tells from now on what comes after the offset in the log of this epoch. */
  follow(epoch: string, after: number): void {
    this.#turn++
    this.#epoch = epoch
    this.#delivered = after
    this.#isLost = false
    if (!this.#isRunning) void this.#run()
    // It may wait at the end of a log that is no more.
    else this.#link.reconnect()
  }

  /** Nothing came though there is something. */
  reconnect(): void {
    this.#link.reconnect()
  }

  close(): void {
    this.#isClosed = true
    this.#turn++
    this.#link.close()
    this.#wake?.()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (!this.#isClosed) {
      if (!this.#link.isReady || this.#isLost) await this.#pause()
      try {
        if (this.#link.isReady && !this.#isLost) await this.#step()
      } catch (error) {
        if (!(error instanceof EngineAway)) this.#link.reconnect()
        await this.#pause()
      }
    }
  }

  /** Until there is a connection, or for a moment. */
  async #pause(): Promise<void> {
    if (this.#isClosed) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = setTimeout(resolve, AGAIN_MS)
    })
    clearTimeout(timer)
    this.#wake = undefined
  }

  async #step(): Promise<void> {
    const turn = this.#turn
    const found = await this.#waitForEntries()
    if (turn !== this.#turn) return
    this.#tell(found)
    // It is behind: larger steps, until it is not.
    while (found.length === COUNT_MAX && turn === this.#turn) {
      const texts = await this.#readStep()
      if (turn !== this.#turn) return
      if (texts === 'unsettled') {
        // As after each start of Redis, until a node has looked at the log: nothing is lost by that alone.
        this.#parts.onDoubt()
        return
      }
      if (texts === 'trimmed') this.#lose()
      else if (texts.length === 0) return
      else this.#tell(texts)
    }
  }

  async #waitForEntries(): Promise<readonly OffsetText[]> {
    const key = this.#parts.keys.log(this.#epoch ?? '')
    const after = `${this.#delivered}-0`
    const answer = await this.#link.ask(
      (client) => client.xread('COUNT', COUNT_MAX, 'BLOCK', BLOCK_MS, 'STREAMS', key, after),
      BLOCK_MS + BLOCK_GRACE_MS,
    )
    const entries = answer?.[0]?.[1] ?? []
    return entries.map(([id, fields]) => [Number.parseInt(id, 10), fields.at(-1) ?? ''] as const)
  }

  async #readStep(): Promise<RedisRead> {
    const { keys } = this.#parts
    const epoch = this.#epoch ?? ''
    const args = [epoch, this.#delivered, STEP_COUNT_MAX, STEP_BYTES_MAX, 'droppedTo']
    const answer = await this.#link.run(READ, [keys.meta, keys.log(epoch)], args)
    return parseRead(answer)
  }

  #tell(found: readonly OffsetText[]): void {
    const [first] = found
    if (!first) return
    const entries = first[0] === this.#delivered + 1 ? parseEntries(found) : undefined
    if (!entries) {
      this.#lose()
      return
    }
    this.#delivered = found.at(-1)?.[0] ?? this.#delivered
    this.#parts.onEntries(entries)
  }

  #lose(): void {
    this.#turn++
    this.#isLost = true
    this.#parts.onDoubt()
  }
}

type OffsetText = readonly [offset: number, text: string]

/** Undefined where one of them is not what a store wrote. */
function parseEntries(found: readonly OffsetText[]): readonly Entry[] | undefined {
  try {
    return found.map(([offset, text]) => entryFromText(text, offset))
  } catch {
    return undefined
  }
}

/** Entries; or that the next one is gone; or that it has to be looked at whether it is the same log. */
export type RedisRead = readonly OffsetText[] | 'trimmed' | 'unsettled'

/** What the script READ answers with. */
export function parseRead(answer: unknown): RedisRead {
  if (!Array.isArray(answer) || answer[0] !== 'read') {
    return Array.isArray(answer) && answer[0] === 'trimmed' ? 'trimmed' : 'unsettled'
  }
  const found: OffsetText[] = []
  for (let i = 1; i < answer.length; i += 2) found.push([Number(answer[i]), String(answer[i + 1])])
  return found
}
