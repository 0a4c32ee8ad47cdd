/** A place in a channel's log: after the entry with this offset, in this life of the log. */
export interface Position {
  /** Names one life of the log: it changes when the log was lost or rewound. */
  readonly epoch: string
  /** Counts up by one; 0 is before the first entry. */
  readonly offset: number
}

/** An epoch of at most 64 characters, and as many digits as a number holds exactly. */
const PATTERN = /^(.{1,64}):(\d{1,15})$/s

/** `epoch:offset`, as it is on the wire. */
export function formatPosition(epoch: string, offset: number): string {
  return `${epoch}:${offset}`
}

/** The position that a text on the wire names, or undefined where it names none. */
export function parsePosition(text: string): Position | undefined {
  const [, epoch, offset] = PATTERN.exec(text) ?? []
  return epoch && offset ? { epoch, offset: Number(offset) } : undefined
}
