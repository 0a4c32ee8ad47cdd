import { findIssues, type Message, type MessageContract } from '@serverchannel/protocol'
import type { HandlerOptions, Off } from './listeners.ts'

/** What looks on while a page is being developed. Made by {@link development}; a page in production has none. */
export interface Development {
  /** Looks on at a channel that was just made. The contract is what it was given as `messages`. */
  watch(channel: object, contract: unknown): void
}

/** The part of a channel by which handlers are added. */
interface Watched {
  on(sender: string, handler: (body: never, message: never) => void, options?: HandlerOptions): Off
  onMessage(handler: (message: Message) => void, options?: HandlerOptions): Off
}

export interface DevelopmentOptions {
  /** Told what is wrong, in a sentence, with the places concerned. Default `console.warn`. */
  readonly warn?: ((text: string) => void) | undefined
  /** So many handlers of one sender that were added at one place are taken for a leak. Default 10. */
  readonly samePlaceMax?: number | undefined
}

/** A handler that is on. */
interface Entry {
  readonly sender: string
  readonly handler: unknown
  readonly place: string
  readonly element: Element | undefined
  isReported: boolean
}

/**
 * Warns, with the place in the code, of a handler that was added twice, of handlers that pile up at one place, of one
 * whose `element` has left the document, and of one that never runs because its signal was aborted before; and checks what
 * comes by the channel's contract. It is in a page only if that imports it.
 *
 * @example
 * import { development } from '@serverchannel/client/development'
 * const channel = connect('/msg', { messages, development: import.meta.env.DEV ? development() : undefined })
 */
export function development({ warn = console.warn, samePlaceMax = 10 }: DevelopmentOptions = {}): Development {
  return {
    watch(channel, contract) {
      const entries = new Set<Entry>()
      // A channel of any contract, which the types of `on` can't say.
      const watched = channel as Watched
      const on = watched.on.bind(watched)
      const onMessage = watched.onMessage.bind(watched)
      const add = (sender: string, handler: unknown, options: HandlerOptions | undefined, off: Off): Off => {
        const entry: Entry = { sender, handler, place: placeOf(), element: options?.element, isReported: false }
        inspect(entry, [...entries], options?.signal, warn, samePlaceMax)
        if (options?.signal?.aborted) return off
        entries.add(entry)
        const leave = (): void => {
          entries.delete(entry)
        }
        options?.signal?.addEventListener('abort', leave, { once: true })
        const both = (): void => {
          leave()
          off()
        }
        return Object.assign(both, { [Symbol.dispose]: both })
      }
      // Before the page adds any of its own.
      onMessage((message) => {
        checkContract(contract, message, warn)
        for (const entry of entries) checkElement(entry, message, warn)
      })
      Object.assign(channel, {
        on: (sender: string, handler: (body: never, message: never) => void, options?: HandlerOptions) =>
          add(sender, handler, options, on(sender, handler, options)),
        onMessage: (handler: (message: Message) => void, options?: HandlerOptions) =>
          add('', handler, options, onMessage(handler, options)),
      })
    },
  }
}

function inspect(
  { sender, handler, place }: Entry,
  others: readonly Entry[],
  signal: AbortSignal | undefined,
  warn: (text: string) => void,
  samePlaceMax: number,
): void {
  const what = sender ? `A handler of '${sender}'` : 'A handler of all messages'
  if (signal?.aborted) {
    warn(`${what} never runs: its signal was aborted before it was added.\n  added at ${place}`)
    return
  }
  const twin = others.find((other) => other.sender === sender && other.handler === handler)
  if (twin) {
    warn(`${what} was added twice and runs twice for each message.\n  first at ${twin.place}\n  again at ${place}`)
  }
  const here = others.filter((other) => other.sender === sender && other.place === place).length + 1
  if (here === samePlaceMax) {
    warn(`${what} was added ${here} times at one place without being taken off: a leak?\n  added at ${place}`)
  }
}

function checkElement(entry: Entry, message: Message, warn: (text: string) => void): void {
  if (entry.isReported || !entry.element || entry.element.isConnected) return
  if (entry.sender && entry.sender !== message.Header.Sender) return
  entry.isReported = true
  const what = entry.sender ? `A handler of '${entry.sender}'` : 'A handler of all messages'
  warn(`${what} still runs, but its element has left the document.\n  added at ${entry.place}`)
}

function checkContract(
  contract: unknown,
  { Header: { Sender }, Body, Id }: Message,
  warn: (text: string) => void,
): void {
  if (typeof contract !== 'object' || contract === null || !Object.hasOwn(contract, Sender)) return
  // Made by defineMessages, which has looked at it.
  const schema = (contract as MessageContract)[Sender]
  const issues = schema && findIssues(schema, Body)
  if (issues) warn(`A body of '${Sender}' is not what its contract says: ${issues}.\n  message ${Id}`)
}

/** Where in the page's own code the caller's caller is, as far as the browser says. */
function placeOf(): string {
  const lines = (new Error().stack ?? '').split('\n').filter((line) => /:\d+:\d+/.test(line))
  // This function, `add`, and the method that was put in the channel's place.
  return lines[3]?.trim().replace(/^at /, '') ?? 'a place that the browser does not tell'
}
