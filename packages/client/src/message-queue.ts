import { ChannelError } from './channel-error.ts'

/** Messages for one `for await` loop: holds what the loop has not asked for yet, up to a ceiling. */
export class MessageQueue<Message> implements AsyncIterableIterator<Message> {
  readonly #messagesMax: number
  readonly #onEnd: () => void
  #held: Message[] = []
  #waiting: Waiting<Message>[] = []
  #hasEnded = false
  #error: ChannelError | undefined

  /** `onEnd` is called once, when it takes no more messages. */
  constructor(messagesMax: number, onEnd: () => void) {
    this.#messagesMax = messagesMax
    this.#onEnd = onEnd
  }

  /** How many are held. */
  get length(): number {
    return this.#held.length
  }

  push(message: Message): void {
    if (this.#hasEnded) return
    const waiting = this.#waiting.shift()
    if (waiting) waiting.resolve({ done: false, value: message })
    else if (this.#held.length < this.#messagesMax) this.#held.push(message)
    else {
      const text = `The loop over messages() fell behind by more than ${this.#messagesMax} messages.`
      this.end(new ChannelError('buffer_overflow', text))
    }
  }

  /** Takes no more messages. The loop gets those held, then the error if there is one. */
  end(error?: ChannelError): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#error = error
    this.#onEnd()
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#error) reject(this.#takeError(this.#error))
      else resolve({ done: true, value: undefined })
    }
  }

  /** Ends at once; what is held is let go. */
  stop(): void {
    this.#held = []
    this.end()
    this.#error = undefined
  }

  next(): Promise<IteratorResult<Message>> {
    const message = this.#held.shift()
    if (message) return Promise.resolve({ done: false, value: message })
    if (this.#error) return Promise.reject(this.#takeError(this.#error))
    if (this.#hasEnded) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  return(): Promise<IteratorResult<Message>> {
    this.stop()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** An iterator throws once and is done after that. */
  #takeError(error: ChannelError): ChannelError {
    this.#error = undefined
    return error
  }
}

/** Who asked for a message before there was one. */
interface Waiting<Message> {
  readonly resolve: (result: IteratorResult<Message>) => void
  readonly reject: (error: ChannelError) => void
}
