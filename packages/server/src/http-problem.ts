import { ChannelError, type ErrorCode, errorKinds } from './channel/channel-error.ts'

/** What a server's answer that is none of what was asked for means. */
export function toError(status: number, text: string, url: string): ChannelError {
  try {
    const { code, detail } = JSON.parse(text) as { code?: string; detail?: string }
    if (code !== undefined && Object.hasOwn(errorKinds, code)) {
      const hint = code === 'key_rejected' ? ' Set SERVERCHANNEL_API_KEY to one of them.' : ''
      return new ChannelError(code as ErrorCode, `${detail ?? ''}${hint}`)
    }
  } catch {
    // Not a problem of ours: said below.
  }
  return status >= 500
    ? new ChannelError('server_unreachable', `${url} answered with status ${status}.`)
    : new ChannelError(
        'not_found',
        `${url} answered with status ${status}: no ServerChannel takes posts there. Are API keys configured?`,
      )
}

/** Why there was no answer, in a word where there is one. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause instanceof Error ? cause.cause : cause
  return (inner as NodeJS.ErrnoException).code ?? inner.message
}
