/** A place in a channel's log: after the entry with this offset, in this life of the log. */
export interface Position {
  /** Names one life of the log: it changes when the log was lost or rewound. */
  readonly epoch: string
  /** Counts up by one; 0 is before the first entry. */
  readonly offset: number
}

const EPOCH_LENGTH_MAX = 64
const OFFSET_DIGITS_MAX = 15

/** `epoch:offset`, as it is on the wire. */
export function formatPosition(epoch: string, offset: number): string {
  return `${epoch}:${offset}`
}

/** The position that a text on the wire names, or undefined where it names none. */
export function parsePosition(text: string): Position | undefined {
  const colon = text.lastIndexOf(':')
  const digits = text.length - colon - 1
  if (colon < 1 || colon > EPOCH_LENGTH_MAX || digits < 1 || digits > OFFSET_DIGITS_MAX) return undefined
  let offset = 0
  for (let i = colon + 1; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return undefined
    offset = offset * 10 + digit
  }
  return { epoch: text.slice(0, colon), offset }
}
