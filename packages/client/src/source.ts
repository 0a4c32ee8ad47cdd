import type { ChannelState, Message } from '@serverchannel/protocol'
import type { ChannelError } from './channel-error.ts'
import type { ConnectionState } from './connection-state.ts'

/** How a call of the server is ended early. */
export interface CallOptions {
  /** Its abort cancels the call: the server is told, and the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Calls of the methods of the channel's hub, to be made while the source is open. */
export interface SourceCalls {
  /** Whether one is under way. */
  readonly isBusy: boolean
  /** Resolves with the method's answer. Rejects with a ChannelError: `call_failed`, or `connection_lost` with the connection. */
  invoke(method: string, args: readonly unknown[], options: CallOptions): Promise<unknown>
  /** Is called when its first item is asked for. */
  stream(method: string, args: readonly unknown[], options: CallOptions): AsyncIterableIterator<unknown>
}

/**
 * Where a channel's messages come from. A seam: the connection that this page has for itself
 * (`connection-source.ts`), or one in another context that several pages share.
 *
 * It gives what is in the server's log after the position that the channel states, in the log's order, and goes on from
 * there over any number of lost connections. It may repeat itself: the channel passes over what it has seen. It leaves
 * nothing out without a {@link ChannelState} that says so with `recovered: false`. What it says is said in later turns
 * than the one in which it was opened, so that handlers can be added first; and nothing after `closed`.
 */
export interface MessageSource {
  /** Changes only together with {@link SourceListener.onStateChange}. */
  readonly state: ConnectionState
  /**
   * When the server last said anything, by the environment's clock in milliseconds, with all of it handed to the
   * listener; undefined before it did.
   */
  readonly heardAt: number | undefined
  /** There is reason to look at once whether the connection still is, or can be had. */
  wake(): void
  /** Undefined in a build that leaves them out. */
  readonly calls: SourceCalls | undefined
  /** Ends it for good; resolves when nothing of it is left. Idempotent. */
  close(): Promise<void>
}

/** Told by a source; in fact a channel. */
export interface SourceListener {
  /** Asked at each connection: where to go on from, `epoch:offset`; undefined: from now on. */
  position(): string | undefined
  /** Whose the position is, as {@link SourceListener.onOwner} said; empty: not known yet. Left out: it is not asked. */
  owner?(): string
  /** The server says whose positions this connection's are, before anything else. See `CHANNEL_OWNER_TARGET`. */
  onOwner?(owner: string): void
  /** A message, with its position where the server has such. */
  onMessage(message: Message): void
  /** From here on everything comes; and what became of what was missed. */
  onChannelState(state: ChannelState): void
  /** The error is the reason, of `reconnecting` and `closed`; undefined after `close()`, and when the page was put away. */
  onStateChange(state: ConnectionState, previous: ConnectionState, error: ChannelError | undefined): void
  /** Anything that goes wrong, after the change of state that it leads to. */
  onError(error: ChannelError): void
}

/** Begins to connect, in the background. */
export type OpenSource = (listener: SourceListener) => MessageSource
