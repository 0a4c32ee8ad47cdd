import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { FromReader, ReaderAnswer, ReaderRequest, ToReader } from './sqlite-reader-messages.ts'

/** The same from `src` and from `dist`. */
const PROGRAM = fileURLToPath(new URL('../../bin/outbox-reader.js', import.meta.url))

/**
 * The server's end of the process that has the application's database open. It is no thread: an application in this
 * process may have the same file open by another copy of SQLite, and the kernel's locks are those of a whole process. Two
 * copies in one would not see each other's, and let go of each other's.
 */
export class SqliteReaderLink {
  readonly #child: ChildProcess
  readonly #exit: Promise<void>
  /** Who waits for an answer, in the order in which they come. */
  readonly #waiting: ((answer: ReaderAnswer) => void)[] = []
  #end: string | undefined

  /** @param onMore also called when the process is gone */
  constructor(onMore: () => void) {
    this.#child = fork(PROGRAM, [], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child.on('message', (message: FromReader) => {
      if (message === 'more') onMore()
      else this.#waiting.shift()?.(message.answer)
    })
    this.#exit = new Promise((resolve) => {
      const ended = (reason: string): void => {
        if (this.#end === undefined) onMore()
        this.#end ??= `The process that reads it ended: ${reason}`
        for (const answer of this.#waiting.splice(0)) answer(this.#gone())
        resolve()
      }
      this.#child.once('error', (error) => ended(error.message))
      this.#child.once('exit', (code, signal) => ended(signal ?? `its exit code is ${code}`))
    })
    // Like all else of a channel but its servers, it keeps no process alive.
    this.#child.unref()
    this.#child.channel?.unref()
  }

  get isGone(): boolean {
    return this.#end !== undefined
  }

  /** Where the process is gone the answer says so. */
  ask(request: ReaderRequest): Promise<ReaderAnswer> {
    if (this.#end !== undefined) return Promise.resolve(this.#gone())
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#tell({ request })
    })
  }

  soon(): void {
    if (this.#end === undefined) this.#tell('soon')
  }

  /** Ends the process in the middle of nothing. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#exit
  }

  #tell(message: ToReader): void {
    // What can't be sent is found by the process's end.
    this.#child.send(message, () => {})
  }

  #gone(): ReaderAnswer {
    return { type: 'failed', reason: this.#end ?? '', isOption: false }
  }
}
