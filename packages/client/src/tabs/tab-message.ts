import type { ChannelState, HubMessage, Message } from '@serverchannel/protocol'
import type { ChannelErrorCode } from '../channel-error.ts'
import type { HubRecord } from '../codec.ts'
import type { ConnectionState } from '../connection-state.ts'

/** An error, as it goes from one context to another. */
export interface SharedError {
  readonly code: ChannelErrorCode
  readonly message: string
}

/** What a tab says to whoever has the connection. */
export type ToRelay =
  /** Wants everything after the position; without one: from now on. */
  | { readonly kind: 'join'; readonly position: string | undefined; readonly owner: string }
  | { readonly kind: 'leave' }
  /** Is anybody there? Answered with `beat`. */
  | { readonly kind: 'beat' }
  /** There is reason to look after the connection. */
  | { readonly kind: 'wake' }
  /** A call of a hub's method, its uploads, or its end, with the tab's own ids. */
  | { readonly kind: 'call'; readonly message: HubMessage }
  /** The answer to `ask-token`: a token, none, or why there is none. */
  | { readonly kind: 'token'; readonly request: number; readonly token?: string | undefined; readonly failure?: string }

/** What whoever has the connection says to a tab. */
export type ToTab =
  /** From here on everything after the tab's position comes; what the relay has of it comes at once. */
  | { readonly kind: 'joined' }
  /** What the tab misses is older than what is held here: it has to get it by itself, and join then. */
  | { readonly kind: 'behind' }
  | { readonly kind: 'beat'; readonly heardAt: number | undefined }
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'channel-state'; readonly state: ChannelState }
  | { readonly kind: 'owner'; readonly owner: string }
  | { readonly kind: 'state'; readonly state: ConnectionState; readonly error?: SharedError | undefined }
  | { readonly kind: 'error'; readonly error: SharedError }
  | { readonly kind: 'record'; readonly record: HubRecord }
  | { readonly kind: 'ask-token'; readonly request: number }
  /** There is somebody new who has the connection, or he goes: join again. */
  | { readonly kind: 'changed' }

/** A tab's way to whoever has the connection. */
export interface Link {
  send(message: ToRelay): void
  /** Idempotent. Nothing is received after it. */
  close(): void
}

/** Told by a link. */
export interface LinkListener {
  onMessage(message: ToTab): void
  /** There is no such way here: another kind has to be found. */
  onFailure(): void
}

export type OpenLink = (listener: LinkListener) => Link
