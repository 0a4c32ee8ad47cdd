import {
  type ChannelState,
  formatPosition,
  type LossReason,
  type Position,
  parsePosition,
} from '@serverchannel/protocol'

/** Messages were lost: what the page shows may be out of date and is to be loaded anew. */
export interface Gap {
  /** `epoch-changed`: the server's log was lost or rewound. `history-trimmed`: the page was away for too long. */
  readonly reason: LossReason
  /** The last position before it. */
  readonly from: string
  /** Everything after this position comes. */
  readonly to: string
}

/** How far the page has got in the channel's log. */
export interface Cursor {
  /** `epoch:offset`; undefined before there is one. */
  position(): string | undefined
  /** Moves on to a message's position. Returns false where it has been there before. */
  pass(position: Position): boolean
  /** Takes the server's word for where the page is. */
  settle(state: ChannelState): void
}

/** Knows what the page has seen, and what it can't have seen. */
export function createCursor(start: string | undefined, onGap: (gap: Gap) => void): Cursor {
  let known = parsePosition(start ?? '')
  const position = (): string | undefined => known && formatPosition(known.epoch, known.offset)
  const move = (to: Position, reason: LossReason | undefined): void => {
    const from = position()
    known = to
    if (reason && from) onGap({ reason, from, to: formatPosition(to.epoch, to.offset) })
  }
  /** Undefined where nothing can be said: in another epoch. */
  const isPast = ({ epoch, offset }: Position): boolean | undefined =>
    known?.epoch === epoch ? offset <= known.offset : undefined
  return {
    position,
    pass(to) {
      const past = isPast(to)
      // In a new epoch without a word about the old one, nobody knows what became of the rest of that.
      if (!past) move(to, past === false ? undefined : 'epoch-changed')
      return !past
    },
    settle({ epoch, offset, recovered, reason }) {
      const to = { epoch, offset }
      // What has been seen stays seen, but after a loss the server's count is the only one: it may have been rewound.
      if (recovered === false) move(to, reason ?? 'history-trimmed')
      else if (!isPast(to)) move(to, undefined)
    },
  }
}
