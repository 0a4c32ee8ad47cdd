import { ChannelError, isErrorCode } from '../channel/channel-error.ts'
import { HubException } from '../hub/hub-exception.ts'

/** An error as nodes tell it each other. */
export interface ErrorText {
  readonly name: string
  readonly message: string
  /** Of a ChannelError. */
  readonly code?: string
}

export function toErrorText(error: unknown): ErrorText {
  if (error instanceof ChannelError) return { name: error.name, message: error.message, code: error.code }
  if (error instanceof Error) return { name: error.name, message: error.message }
  return { name: 'Error', message: String(error) }
}

/** The error as it would be had it happened here. Of a kind that is unknown here: a plain Error. */
export function fromErrorText({ name, message, code }: ErrorText): Error {
  if (code !== undefined && isErrorCode(code)) return new ChannelError(code, message)
  if (name === 'HubException') return new HubException(message)
  if (name === 'RangeError') return new RangeError(message)
  if (name === 'TypeError') return new TypeError(message)
  return new Error(message)
}
