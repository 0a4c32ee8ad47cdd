import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { Looks } from './looks.ts'
import { SqliteOutboxFile } from './sqlite-outbox-file.ts'
import type { FromReader, ReaderAnswer, ReaderRequest, ToReader } from './sqlite-reader-messages.ts'

/** After a sign of something, and at most: without any a look costs a few microseconds. */
const LOOK_MS_MIN = 2
const LOOK_MS_MAX = 1000

/** Takes messages from the application's database for a server, and finds out when there are some. */
export class SqliteReader {
  readonly #send: (message: FromReader) => void
  readonly #looks = new Looks(LOOK_MS_MAX, () => this.#look())
  #path = ''
  #holder = ''
  #file: SqliteOutboxFile | undefined
  #watcher: FSWatcher | undefined
  /** There was something that could not be had. */
  #isOwed = false

  constructor(send: (message: FromReader) => void) {
    this.#send = send
  }

  async take(message: ToReader): Promise<void> {
    if (message === 'soon') {
      this.#looks.soon(LOOK_MS_MIN)
      return
    }
    let answer: ReaderAnswer
    try {
      answer = await this.#answer(message.request)
    } catch (error) {
      // The tables, or the file, may be another's now.
      this.#drop()
      const reason = error instanceof Error ? error.message : String(error)
      answer = { type: 'failed', reason, isOption: error instanceof TypeError }
    }
    this.#send({ answer })
  }

  async #answer(request: ReaderRequest): Promise<ReaderAnswer> {
    if (request.type === 'open') [this.#path, this.#holder] = [request.file, request.holder]
    const file = await this.#open()
    switch (request.type) {
      case 'open':
        return { type: 'opened' }
      case 'take': {
        const taken = file.take()
        if (taken.type === 'taken') return taken
        if (taken.type === 'busy') this.#owe()
        return { type: 'none' }
      }
      case 'acknowledge':
        if (file.acknowledge(request.numbers, request.refused)) return { type: 'acknowledged' }
        return { type: 'failed', reason: 'The database is busy.', isOption: false }
      default:
        return request satisfies never
    }
  }

  async #open(): Promise<SqliteOutboxFile> {
    this.#file ??= await SqliteOutboxFile.open(this.#path, this.#holder)
    this.#watch()
    this.#looks.soon(LOOK_MS_MAX)
    return this.#file
  }

  /** It is not told of: lost signs, and file systems that give none, are made up for by looking. */
  #watch(): void {
    if (this.#watcher) return
    const name = basename(this.#path)
    const names = new Set([name, `${name}-wal`, `${name}-journal`])
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, (_event, changed) => {
        if (changed === null || names.has(changed)) this.#looks.soon(LOOK_MS_MIN)
      })
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // There are none to be had on this machine.
    }
  }

  #owe(): void {
    this.#isOwed = true
    this.#looks.soon(LOOK_MS_MIN)
  }

  #look(): void {
    try {
      if (this.#file?.isReplaced()) this.#drop()
      // It is opened again by what `more` leads to.
      const isChanged = this.#file === undefined || this.#file.isChanged()
      if (!isChanged && !this.#isOwed) return
    } catch {
      this.#drop()
    }
    this.#isOwed = false
    this.#send('more')
  }

  #drop(): void {
    try {
      this.#file?.close()
    } catch {
      // It is given up in any case.
    }
    this.#file = undefined
  }
}
