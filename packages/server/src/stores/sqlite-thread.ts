import { failureOf } from './sqlite-database.ts'
import { FileDamaged, FileRefused, putAside, reasonOf } from './sqlite-file.ts'
import { SqliteLog } from './sqlite-log.ts'
import type { Answer, FromThread, Notice, Request, SqliteLogOptions } from './sqlite-messages.ts'

/** A log that is damaged, and that no new one stands for yet. */
interface Lost {
  readonly damage: string
  /** Where it is kept; undefined: where it was. */
  readonly aside: string | undefined
}

/** Answers the requests of the store, one after the other, and does what can wait when there are none. */
export class SqliteThread {
  readonly #options: SqliteLogOptions
  readonly #send: (message: FromThread) => void
  #log: SqliteLog | undefined
  #trouble: string | undefined
  #lost: Lost | undefined
  #isResting = true
  /** What was posted before is too old, by the last request that said so. */
  #oldest = Number.NEGATIVE_INFINITY

  constructor(options: SqliteLogOptions, send: (message: FromThread) => void) {
    this.#options = options
    this.#send = send
  }

  async open(): Promise<void> {
    try {
      const { log, reason } = await this.#openLog()
      this.#log = log
      if (reason !== undefined) this.#notify({ type: 'warning', reason })
      this.#notify({ type: 'opened', state: log.state() })
    } catch (error) {
      const isOption = error instanceof FileRefused && error.isOption
      this.#notify({ type: 'refused', reason: reasonOf(error), isOption })
    }
  }

  take(request: Request): void {
    const log = this.#log
    if (!log) {
      if (request.type === 'probe' && this.#lost) void this.#beginAgain(this.#lost)
      this.#answer({ type: 'failed', reason: this.#lost?.damage ?? 'The log is not open.' })
      return
    }
    try {
      this.#answer(this.#serve(log, request))
      // What was written is proof enough.
      if (request.type === 'append' || request.type === 'probe') this.#setTrouble(undefined)
    } catch (error) {
      this.#fail(error, request)
    }
    this.#stir()
  }

  /** The process goes down without a word for the log. */
  abandon(): void {
    this.#log?.abandon()
    this.#log = undefined
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
      case 'trim':
        this.#oldest = request.oldest
        log.trim(request.oldest)
        return { type: 'trimmed', trimmedTo: log.trimmedTo }
      case 'probe':
        log.probe()
        return { type: 'works' }
      case 'close':
        this.#log = undefined
        log.close()
        return { type: 'closed' }
      default:
        return request satisfies never
    }
  }

  #fail(error: unknown, request: Request): void {
    const reason = reasonOf(error)
    if (isDamage(error) && this.#log) this.#lose(reason)
    else if (request.type !== 'read' && request.type !== 'close') this.#setTrouble(reason)
    this.#answer({ type: 'failed', reason })
  }

  /** What is in the file can't be trusted any more: it is put aside, and the log begins anew in another epoch. */
  #lose(damage: string): void {
    this.#log?.abandon()
    this.#log = undefined
    void this.#beginAgain({ damage, aside: undefined })
  }

  async #beginAgain(lost: Lost): Promise<void> {
    const { damage } = lost
    // Until then nothing else begins it: a probe that comes in the meantime finds nothing to do.
    this.#lost = undefined
    let { aside } = lost
    try {
      aside ??= putAside(this.#options.file, Date.now())
      this.#log = await SqliteLog.open(this.#options)
      const reason = `The log was damaged (${damage}). It is kept as '${aside}'; a new one begins.`
      this.#notify({ type: 'epoch', state: this.#log.state(), reason })
      this.#setTrouble(undefined)
    } catch (error) {
      this.#lost = { damage, aside }
      this.#setTrouble(`The log is damaged (${damage}), and no new one could be begun: ${reasonOf(error)}`)
    }
  }

  /** @returns the log, and what is to be said about it */
  async #openLog(): Promise<{ readonly log: SqliteLog; readonly reason: string | undefined }> {
    const { file } = this.#options
    try {
      const log = await SqliteLog.open(this.#options)
      const { reason } = log.found
      return { log, reason: reason && `${reason} The log '${file}' goes on in another epoch.` }
    } catch (error) {
      if (!isDamage(error)) throw error
      const aside = putAside(file, Date.now())
      const log = await SqliteLog.open(this.#options)
      return { log, reason: `The log is damaged (${reasonOf(error)}). It is kept as '${aside}'; a new one begins.` }
    }
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
      if (isDamage(error)) this.#lose(reasonOf(error))
      else this.#setTrouble(reasonOf(error))
    }
  }

  #setTrouble(reason: string | undefined): void {
    if (reason === this.#trouble) return
    this.#trouble = reason
    this.#notify({ type: 'trouble', reason })
  }

  #notify(notice: Notice): void {
    this.#send({ notice })
  }

  #answer(answer: Answer): void {
    this.#send({ answer })
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof FileDamaged || failureOf(error) === 'damaged'
}
