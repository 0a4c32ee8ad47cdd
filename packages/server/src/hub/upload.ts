import { HubException } from './hub-exception.ts'
import type { Validator } from './validator.ts'

interface Reader {
  resolve(result: IteratorResult<unknown, undefined>): void
  reject(error: unknown): void
}

/**
 * A stream from a client, as the method that reads it sees it. `open`: more may come. `ended`: all has come, with an
 * error or without. `left`: the reader wants no more. It never waits for its reader: it says when it is full.
 */
export class Upload implements AsyncIterable<unknown>, AsyncIterator<unknown, undefined> {
  readonly #itemsMax: number
  readonly #validator: Validator | undefined
  readonly #onTaken: () => void
  readonly #items: unknown[] = []
  readonly #readers: Reader[] = []
  #state: 'open' | 'ended' | 'left' = 'open'
  /** What the reader gets once it has read all items. */
  #failure: { readonly error: unknown } | undefined

  /** @param onTaken told each time there is more room than before */
  constructor(itemsMax: number, validator: Validator | undefined, onTaken: () => void) {
    this.#itemsMax = itemsMax
    this.#validator = validator
    this.#onTaken = onTaken
  }

  /** Items that nobody has read. */
  get itemCount(): number {
    return this.#items.length
  }

  /** The client sends an item. */
  push(item: unknown): void {
    if (this.#state !== 'open') return
    const reader = this.#readers.shift()
    if (reader) this.#give(item, reader)
    else if (this.#items.length < this.#itemsMax) this.#items.push(item)
    else this.fail(new HubException(`More than ${this.#itemsMax} items of the stream were not read.`))
  }

  /** The client has sent all; an error is its own (SIGNALR 2.9). */
  complete(error: string | undefined): void {
    if (error === undefined) this.#end(undefined)
    else this.#end({ error: new HubException(error) })
  }

  /** Ends it at once, whatever has come: the reader gets the error next. */
  fail(error: unknown): void {
    if (this.#state !== 'open') return
    this.#items.length = 0
    this.#end({ error })
    this.#onTaken()
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    const result = new Promise<IteratorResult<unknown, undefined>>((resolve, reject) => {
      this.#read({ resolve, reject })
    })
    // A reader that went away without awaiting this is no reason to end the process.
    result.catch(() => {})
    return result
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#state = 'left'
    this.#failure = undefined
    this.#items.length = 0
    for (const reader of this.#readers.splice(0)) reader.resolve(DONE)
    this.#onTaken()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #read(reader: Reader): void {
    if (this.#items.length > 0) {
      this.#give(this.#items.shift(), reader)
      this.#onTaken()
    } else if (this.#state === 'open') this.#readers.push(reader)
    else this.#tellEnd(reader)
  }

  #give(item: unknown, reader: Reader): void {
    if (!this.#validator) reader.resolve({ done: false, value: item })
    else {
      this.#check(this.#validator, item).then(
        (value) => reader.resolve({ done: false, value }),
        (error: unknown) => reader.reject(error),
      )
    }
  }

  async #check(validator: Validator, item: unknown): Promise<unknown> {
    const outcome = await validator['~standard'].validate(item)
    if (!outcome.issues) return outcome.value
    // In .NET's words.
    const error = new HubException('Failed to bind Stream message.')
    this.fail(error)
    throw error
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#failure = failure
    for (const reader of this.#readers.splice(0)) this.#tellEnd(reader)
  }

  /** The error is told once, as a generator tells its own. */
  #tellEnd(reader: Reader): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure) reader.reject(failure.error)
    else reader.resolve(DONE)
  }
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
