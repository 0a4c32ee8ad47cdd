/** What a command prints: one JSON value a line for programs, or text for people. */
export interface Output {
  /** The command's result. */
  result(value: unknown, text: string): void
  /** Something on the way; on standard error. */
  note(text: string): void
}

export function createOutput(json: boolean): Output {
  return {
    result(value, text) {
      process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`)
    },
    note(text) {
      process.stderr.write(json ? `${JSON.stringify({ note: text })}\n` : `${text}\n`)
    },
  }
}

/**
 * Text from outside as it may stand in a terminal: without control characters, which could move the cursor, change the
 * title or the colours, or hide what else is printed.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
