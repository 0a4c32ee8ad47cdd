/** What a command prints: one JSON value a line for programs, or text for people. */
export interface Output {
  /** The command's result. */
  result(value: unknown, text: string): void
  /** Something on the way, for people only; on standard error. */
  note(text: string): void
}

export function createOutput(json: boolean): Output {
  return {
    result(value, text) {
      process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`)
    },
    note(text) {
      if (!json) process.stderr.write(`${text}\n`)
    },
  }
}

/**
 * Text from outside as it may stand in a terminal: without control characters, which could move the cursor, change the
 * title or the colours, or hide what else is printed.
 */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
