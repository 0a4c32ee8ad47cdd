import { Worker } from 'node:worker_threads'
import type { Answer, FromThread, Notice, Opening, Request, ThreadOptions } from './sqlite-messages.ts'

/** What of the thread is no answer. */
export interface LinkListener {
  onNotice(notice: Notice): void
  /** The thread is gone without having been stopped. */
  onEnd(reason: string): void
}

/** The store's end of the thread that has the file open. */
export class SqliteLink {
  /** How opening the file went. */
  readonly opening: Promise<Opening>
  readonly #worker: Worker
  /** Who waits for an answer, in the order in which they come. */
  readonly #waiting: ((answer: Answer) => void)[] = []
  #end: string | undefined
  #isStopped = false

  constructor(program: URL, options: ThreadOptions, to: LinkListener) {
    // What the process was started with is for its own program: a loader, an inspector's port.
    this.#worker = new Worker(program, { workerData: options, execArgv: ['--disable-warning=ExperimentalWarning'] })
    let onOpening = (_opening: Opening): void => {}
    this.opening = new Promise((resolve) => {
      onOpening = resolve
    })
    let failure = ''
    this.#worker.on('message', (message: FromThread) => {
      if ('answer' in message) this.#waiting.shift()?.(message.answer)
      else if ('opening' in message) onOpening(message.opening)
      else if (!this.#isStopped) to.onNotice(message.notice)
    })
    this.#worker.on('error', (error: unknown) => {
      failure = error instanceof Error ? error.message : String(error)
    })
    this.#worker.on('exit', (code) => {
      this.#end = `The thread that has '${options.file}' open ended: ${failure || `code ${code}`}`
      onOpening({ type: 'refused', reason: this.#end, isOption: false, isAside: false })
      for (const answer of this.#waiting.splice(0)) answer({ type: 'failed', reason: this.#end })
      if (!this.#isStopped) to.onEnd(this.#end)
    })
  }

  /** Where the thread is gone the answer says so. */
  ask(request: Request): Promise<Answer> {
    if (this.#end !== undefined) return Promise.resolve({ type: 'failed', reason: this.#end })
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      this.#worker.postMessage(request)
    })
  }

  /** Ends the thread, and with it all that it had open. What it was asked and has not answered fails. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#worker.terminate()
  }
}
