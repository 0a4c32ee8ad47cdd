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

/** How far the page has got in the channel's log. Knows what it has seen, and what it can't have seen. */
export class Cursor {
  readonly #onGap: (gap: Gap) => void
  #position: Position | undefined

  constructor(position: string | undefined, onGap: (gap: Gap) => void) {
    this.#position = position === undefined ? undefined : parsePosition(position)
    this.#onGap = onGap
  }

  get position(): string | undefined {
    return this.#position && formatPosition(this.#position.epoch, this.#position.offset)
  }

  /** Moves on to a message's position. Returns false where it has been there before. */
  pass(position: Position): boolean {
    const known = this.#position
    if (known?.epoch === position.epoch && position.offset <= known.offset) return false
    // In a new epoch without a word about the old one, nobody knows what became of the rest of that.
    this.#move(position, known?.epoch === position.epoch ? undefined : 'epoch-changed')
    return true
  }

  /** Takes the server's word for where the page is. */
  settle({ epoch, offset, recovered, reason }: ChannelState): void {
    const isLost = recovered === false
    // What has been seen stays seen, but after a loss the server's count is the only one: it may have been rewound.
    if (!isLost && this.#position?.epoch === epoch && offset <= this.#position.offset) return
    this.#move({ epoch, offset }, isLost ? (reason ?? 'history-trimmed') : undefined)
  }

  #move(position: Position, reason: LossReason | undefined): void {
    const from = this.position
    this.#position = position
    if (reason && from !== undefined) this.#onGap({ reason, from, to: formatPosition(position.epoch, position.offset) })
  }
}
