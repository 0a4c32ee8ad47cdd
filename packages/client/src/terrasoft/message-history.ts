import type { MessageHeader } from '@serverchannel/protocol'
import { ChannelError } from '../channel-error.ts'

/** A message that nobody listened to when it came. */
export interface SavedMessage {
  /** Of the sandbox message. */
  readonly name: string
  readonly msg: unknown
  /** Of the message as it came. */
  readonly header?: MessageHeader | undefined
  /** Its place in the log; undefined from servers without positions. */
  readonly position?: string | undefined
}

/** Where it is kept: `localStorage`, or what can do the same. */
export type HistoryStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/** The messages of one name, and as JSON. */
interface History {
  readonly messages: readonly SavedMessage[]
  readonly text: string
}

const EMPTY: History = { messages: [], text: '[]' }
/** Of one name. The oldest beyond go, and that is reported. */
const MESSAGES_MAX = 1_000
/** Of one name, as JSON; a message alone may be larger. A browser's storage has room for five of them. */
const CHARS_MAX = 1_048_576
/** Source: PARITY 2.3, "key". */
const KEY_END = 'SocketMsgHistory'

/**
 * Messages by the name under which they are to be published, in the order in which they came, for all tabs of a browser.
 * Where the storage is full or not to be had, they are kept for this page's life.
 */
export class MessageHistory {
  readonly #storage: HistoryStorage | undefined
  readonly #reportError: (error: unknown) => void
  readonly #inMemory = new Map<string, History>()
  /** What was written last: where nobody else wrote, it need not be read again. */
  readonly #known = new Map<string, History>()
  /** Those of which messages were dropped: one report of each is enough. */
  readonly #overflowing = new Set<string>()

  constructor(storage: HistoryStorage | undefined, reportError: (error: unknown) => void) {
    this.#storage = storage
    this.#reportError = reportError
  }

  /** Another tab may have saved the same message: one position is kept once. */
  add(name: string, added: SavedMessage): void {
    const { messages, text } = this.#load(name)
    if (added.position !== undefined && messages.some(({ position }) => position === added.position)) return
    const one = JSON.stringify(added)
    const longer = {
      messages: [...messages, added],
      // A thousand messages are not to be encoded anew for each that comes.
      text: messages.length > 0 ? `${text.slice(0, -1)},${one}]` : `[${one}]`,
    }
    const kept = trimmed(longer)
    if (kept !== longer) this.#reportOverflow(name)
    this.#store(name, kept)
  }

  read(name: string): readonly SavedMessage[] {
    return this.#load(name).messages
  }

  remove(name: string): void {
    this.#inMemory.delete(name)
    this.#known.delete(name)
    this.#overflowing.delete(name)
    try {
      this.#storage?.removeItem(name + KEY_END)
    } catch (error) {
      this.#reportError(error)
    }
  }

  #load(name: string): History {
    const inMemory = this.#inMemory.get(name)
    if (inMemory) return inMemory
    try {
      const text = this.#storage?.getItem(name + KEY_END) ?? '[]'
      const known = this.#known.get(name)
      if (known?.text === text) return known
      const read: unknown = JSON.parse(text)
      const messages = Array.isArray(read) ? read.filter(isSaved) : []
      return { messages, text: JSON.stringify(messages) }
    } catch (error) {
      this.#reportError(error)
      return EMPTY
    }
  }

  #store(name: string, history: History): void {
    if (this.#storage && !this.#inMemory.has(name)) {
      try {
        this.#storage.setItem(name + KEY_END, history.text)
        this.#known.set(name, history)
        return
      } catch (error) {
        // What was written before is read no more until this is removed with it.
        this.#reportError(error)
      }
    }
    this.#inMemory.set(name, history)
  }

  #reportOverflow(name: string): void {
    if (this.#overflowing.has(name)) return
    this.#overflowing.add(name)
    const text = `The oldest messages '${name}' are dropped: there are too many, and nobody subscribes to it.`
    this.#reportError(new ChannelError('buffer_overflow', text))
  }
}

/** Within the bounds; by more than it has to, so that not every message costs another trimming. */
function trimmed(history: History): History {
  let { messages, text } = history
  if (messages.length > MESSAGES_MAX) {
    messages = messages.slice(MESSAGES_MAX / 10)
    text = JSON.stringify(messages)
  }
  while (text.length > CHARS_MAX && messages.length > 1) {
    messages = messages.slice(Math.ceil(messages.length / 2))
    text = JSON.stringify(messages)
  }
  return messages === history.messages ? history : { messages, text }
}

function isSaved(value: unknown): value is SavedMessage {
  return typeof value === 'object' && value !== null && 'msg' in value
}
