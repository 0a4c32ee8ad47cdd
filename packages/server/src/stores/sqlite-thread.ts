import { failureOf } from './sqlite-database.ts'
import { FileDamaged, FileRefused, putAside, reasonOf } from './sqlite-file.ts'
import { SqliteLog } from './sqlite-log.ts'
import type { Answer, FromThread, Request, Row, ThreadOptions } from './sqlite-messages.ts'

const PROBE_BYTES_MAX = 1_048_576

/** Answers the requests of the store, one after the other, and does what can wait when there are none. */
export class SqliteThread {
  readonly #send: (message: FromThread) => void
  /** Undefined: it is not open, or damaged. */
  #log: SqliteLog | undefined
  #trouble: string | undefined
  #isResting = true
  /** What could not be written last: less than that proves nothing where a disk is full. */
  #probeBytes = 0
  /** What was posted before is too old, by the last request that said so. */
  #oldest = Number.NEGATIVE_INFINITY

  constructor(send: (message: FromThread) => void) {
    this.#send = send
  }

  async open({ damage, ...options }: ThreadOptions): Promise<void> {
    let aside: string | undefined
    try {
      if (damage !== undefined) aside = putAside(options.file, Date.now())
      const log = await SqliteLog.open(options)
      this.#log = log
      const reason =
        aside === undefined
          ? log.found.reason
          : `The log was damaged (${damage}). It is kept as '${aside}'; a new one begins in another epoch.`
      this.#send({ opening: { type: 'opened', state: log.state(), reason } })
    } catch (error) {
      const reason = reasonOf(error)
      if (isDamage(error)) this.#send({ opening: { type: 'damaged', reason } })
      else {
        const isOption = error instanceof FileRefused && error.isOption
        this.#send({ opening: { type: 'refused', reason, isOption, isAside: aside !== undefined } })
      }
    }
  }

  take(request: Request): void {
    const log = this.#log
    if (!log) {
      this.#answer({ type: 'failed', reason: 'The log is not open.' })
      return
    }
    try {
      this.#answer(this.#serve(log, request))
      // What was written is proof enough.
      if (request.type === 'append' || request.type === 'probe') this.#setTrouble(undefined)
    } catch (error) {
      if (request.type === 'append') this.#probeBytes = Math.min(sizeOf(request.rows), PROBE_BYTES_MAX)
      this.#fail(error, request.type === 'append' || request.type === 'probe')
      this.#answer({ type: 'failed', reason: reasonOf(error) })
    }
    this.#stir()
  }

  #serve(log: SqliteLog, request: Request): Answer {
    switch (request.type) {
      case 'append': {
        this.#oldest = request.oldest
        const offsets = log.append(request.rows, request.oldest)
        return { type: 'appended', offsets, trimmedTo: log.trimmedTo }
      }
      case 'read': {
        log.trim(request.oldest)
        const rows = log.read(request.after, request.countMax, request.bytesMax)
        return { type: 'read', rows, trimmedTo: log.trimmedTo }
      }
      case 'trim': {
        this.#oldest = request.oldest
        const isAll = log.trim(request.oldest)
        return { type: 'trimmed', trimmedTo: log.trimmedTo, isAll }
      }
      case 'probe':
        log.probe(this.#probeBytes)
        return { type: 'works' }
      case 'close':
        this.#log = undefined
        log.close()
        return { type: 'closed' }
      default:
        return request satisfies never
    }
  }

  #fail(error: unknown, isWrite: boolean): void {
    if (isDamage(error)) {
      this.#log = undefined
      this.#send({ notice: { type: 'damaged', reason: reasonOf(error) } })
    } else if (isWrite) this.#setTrouble(reasonOf(error))
  }

  /** Does what can wait, a step at a time, while there are no requests. */
  #stir(): void {
    if (!this.#isResting) return
    this.#isResting = false
    setImmediate(() => this.#maintain())
  }

  #maintain(): void {
    this.#isResting = true
    const log = this.#log
    if (!log) return
    try {
      const isTrimmed = log.trim(this.#oldest)
      const isMore = log.maintain()
      if (isMore || !isTrimmed) this.#stir()
    } catch (error) {
      this.#fail(error, true)
    }
  }

  #setTrouble(reason: string | undefined): void {
    if (reason === this.#trouble) return
    this.#trouble = reason
    this.#send({ notice: { type: 'trouble', reason } })
  }

  #answer(answer: Answer): void {
    this.#send({ answer })
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof FileDamaged || failureOf(error) === 'damaged'
}

function sizeOf(rows: readonly Row[]): number {
  let bytes = 0
  for (const { text } of rows) bytes += text.length
  return bytes
}
