import { type ChannelState, type Message, type Position, parsePosition } from '@serverchannel/protocol'
import { createCursor } from '../cursor.ts'

/** Enough for a tab that has just got what it missed by itself. */
const MESSAGES_MAX = 1_000

/** What a joining tab can be given. */
export interface Covered {
  /** In the log's order; after the tab's position. */
  readonly messages: readonly Message[]
  /** Undefined: the connection has not said yet where it is; it will. */
  readonly state: ChannelState | undefined
}

/** The newest messages that came over the shared connection, and where that is in the log. */
export interface SharedHistory {
  /** Of the connection: where it goes on from. */
  position(): string | undefined
  /** Keeps it. Returns false where it was there before. */
  add(message: Message): boolean
  settle(state: ChannelState): void
  /** What is to be had after a position; undefined where that is not known here. */
  after(position: string | undefined): Covered | undefined
}

export function createSharedHistory(from: string | undefined): SharedHistory {
  const cursor = createCursor(from, () => {})
  /** Everything after it is in `messages`. */
  let start: Position | undefined = parsePosition(from ?? '')
  let messages: Message[] = []
  let isSettled = false

  const where = (): Position | undefined => parsePosition(cursor.position() ?? '')
  return {
    position: () => cursor.position(),
    add(message) {
      const position = parsePosition(message.Position ?? '')
      if (!position) return true
      if (!cursor.pass(position)) return false
      if (start?.epoch !== position.epoch) {
        // A new life of the log, or the first word of where it is: before this nothing is known.
        start = { epoch: position.epoch, offset: position.offset - 1 }
        messages = []
      }
      messages.push(message)
      if (messages.length > MESSAGES_MAX) start = parsePosition(messages.shift()?.Position ?? '') ?? start
      return true
    },
    settle(state) {
      cursor.settle(state)
      isSettled = true
      if (start && start.epoch === state.epoch && state.recovered !== false) return
      start = { epoch: state.epoch, offset: state.offset }
      messages = []
    },
    after(position) {
      const asked = parsePosition(position ?? '')
      const now = where()
      if (asked && (!start || asked.epoch !== start.epoch || asked.offset < start.offset)) return undefined
      const state = now && isSettled ? { ...now, ...(asked ? { recovered: true } : {}) } : undefined
      if (!asked) return { messages: [], state }
      return { messages: messages.filter((message) => isAfter(message, asked)), state }
    },
  }
}

function isAfter({ Position }: Message, { offset }: Position): boolean {
  return (parsePosition(Position ?? '')?.offset ?? 0) > offset
}
