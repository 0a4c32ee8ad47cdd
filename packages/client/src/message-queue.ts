import { ChannelError } from './channel-error.ts'

/** Messages for one `for await` loop: holds what the loop has not asked for yet, up to a ceiling. */
export interface MessageQueue<Message> extends AsyncIterableIterator<Message> {
  /** How many are held. */
  held(): number
  push(message: Message): void
  /** Takes no more messages. The loop gets those held, then the error if there is one. */
  end(error?: ChannelError): void
  /** Ends at once; what is held is let go. */
  stop(): void
}

/** @param onEnd called once, when it takes no more messages */
export function createMessageQueue<Message>(messagesMax: number, onEnd: () => void): MessageQueue<Message> {
  const held: Message[] = []
  const waiting: Waiting<Message>[] = []
  let hasEnded = false
  let failure: ChannelError | undefined

  /** Gives those who wait what there is for them. An iterator throws once and is done after that. */
  const serve = (): void => {
    if (held.length === 0 && !hasEnded) return
    const next = waiting.shift()
    if (!next) return
    if (held.length > 0) next.resolve({ done: false, value: held.shift() as Message })
    else if (failure) {
      next.reject(failure)
      failure = undefined
    } else next.resolve({ done: true, value: undefined })
    serve()
  }

  const queue: MessageQueue<Message> = {
    held: () => held.length,
    push(message) {
      if (hasEnded) return
      if (waiting.length > 0 || held.length < messagesMax) {
        held.push(message)
        serve()
      } else {
        queue.end(new ChannelError('buffer_overflow', `messages() fell behind by more than ${messagesMax} messages.`))
      }
    },
    end(error) {
      if (hasEnded) return
      hasEnded = true
      failure = error
      onEnd()
      serve()
    },
    stop() {
      held.length = 0
      queue.end()
      failure = undefined
    },
    next: () =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        serve()
      }),
    return() {
      queue.stop()
      return queue.next()
    },
    [Symbol.asyncIterator]: () => queue,
  }
  return queue
}

/** Who asked for a message before there was one. */
interface Waiting<Message> {
  readonly resolve: (result: IteratorResult<Message>) => void
  readonly reject: (error: ChannelError) => void
}
