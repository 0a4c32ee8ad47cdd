import { STATUS_CODES } from 'node:http'

/** What a caller did wrong or came too late for: its HTTP status, and a sentence that says so. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly headers: Record<string, string>

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }

  get title(): string {
    return STATUS_CODES[this.status] ?? 'Error'
  }
}
