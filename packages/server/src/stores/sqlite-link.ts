import { Worker } from 'node:worker_threads'
import type { Answer, FromThread, Notice, Request, SqliteLogOptions } from './sqlite-messages.ts'

/** What of the thread is no answer. */
export interface LinkListener {
  onNotice(notice: Notice): void
  /** The thread is gone without having been closed. */
  onEnd(reason: string): void
}

/** The store's end of the thread that has the file open. */
export class SqliteLink {
  readonly #worker: Worker
  /** Who waits for an answer, in the order in which they come. */
  readonly #waiting: ((answer: Answer) => void)[] = []
  #end: string | undefined

  constructor(program: URL, { file, durability, historyCountMax, historyBytesMax }: SqliteLogOptions, to: LinkListener) {
    const options: SqliteLogOptions = { file, durability, historyCountMax, historyBytesMax }
    // What the process was started with is for its own program: a loader, an inspector's port.
    this.#worker = new Worker(program, { workerData: options, execArgv: ['--disable-warning=ExperimentalWarning'] })
    let isClosed = false
    this.#worker.on('message', (message: FromThread) => {
      if ('notice' in message) {
        to.onNotice(message.notice)
        return
      }
      isClosed ||= message.answer.type === 'closed'
      this.#waiting.shift()?.(message.answer)
    })
    let failure = ''
    this.#worker.on('error', (error: unknown) => {
      failure = error instanceof Error ? error.message : String(error)
    })
    this.#worker.on('exit', (code) => {
      this.#end = `The thread that has '${file}' open ended: ${failure || `code ${code}`}`
      for (const answer of this.#waiting.splice(0)) answer({ type: 'failed', reason: this.#end })
      if (!isClosed) to.onEnd(this.#end)
    })
  }

  /** Where the thread is gone the answer says so. */
  ask(request: Request): Promise<Answer> {
    if (this.#end !== undefined) return Promise.resolve({ type: 'failed', reason: this.#end })
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#worker.postMessage(request)
    })
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}
