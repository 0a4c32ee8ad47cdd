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
  readonly #inMemory = new Map<string, readonly SavedMessage[]>()
  /** Those of which messages were dropped: one report of each is enough. */
  readonly #overflowing = new Set<string>()

  constructor(storage: HistoryStorage | undefined, reportError: (error: unknown) => void) {
    this.#storage = storage
    this.#reportError = reportError
  }

  /** Another tab may have saved the same message: one position is kept once. */
  add(name: string, added: SavedMessage): void {
    const saved = this.read(name)
    if (added.position !== undefined && saved.some(({ position }) => position === added.position)) return
    const kept = [...saved, added].slice(-MESSAGES_MAX)
    let text = JSON.stringify(kept)
    while (text.length > CHARS_MAX && kept.length > 1) {
      // By halves, so that trimming costs as much as a few messages, whatever their size.
      kept.splice(0, Math.ceil(kept.length / 2))
      text = JSON.stringify(kept)
    }
    if (kept.length <= saved.length && !this.#overflowing.has(name)) {
      this.#overflowing.add(name)
      const dropped = `The oldest messages '${name}' are dropped: there are too many, and nobody subscribes to it.`
      this.#reportError(new ChannelError('buffer_overflow', dropped))
    }
    this.#write(name, kept, text)
  }

  read(name: string): readonly SavedMessage[] {
    const inMemory = this.#inMemory.get(name)
    if (inMemory) return inMemory
    try {
      const read: unknown = JSON.parse(this.#storage?.getItem(name + KEY_END) ?? '[]')
      return Array.isArray(read) ? read.filter(isSaved) : []
    } catch (error) {
      this.#reportError(error)
      return []
    }
  }

  remove(name: string): void {
    this.#inMemory.delete(name)
    this.#overflowing.delete(name)
    try {
      this.#storage?.removeItem(name + KEY_END)
    } catch (error) {
      this.#reportError(error)
    }
  }

  #write(name: string, saved: readonly SavedMessage[], text: string): void {
    if (this.#storage && !this.#inMemory.has(name)) {
      try {
        this.#storage.setItem(name + KEY_END, text)
        return
      } catch (error) {
        // What was written before is read no more until this is removed with it.
        this.#reportError(error)
      }
    }
    this.#inMemory.set(name, saved)
  }
}

function isSaved(value: unknown): value is SavedMessage {
  return typeof value === 'object' && value !== null && 'msg' in value
}
