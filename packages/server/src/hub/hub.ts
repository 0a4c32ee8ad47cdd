import type { HubMessage } from '@serverchannel/protocol'
import type { HubPeer } from './hub-peer.ts'

/** Hub messages that are a hub's own business, as opposed to the connection's. */
export type CallMessage = Extract<HubMessage, { readonly type: 1 | 2 | 3 | 4 | 5 }>

/** What a hub does with its connections. */
export interface Hub {
  /** The handshake is done. Returns who is to be told when the connection can take more, and when it is gone. */
  onConnected(peer: HubPeer): HubSession
}

export interface HubSession {
  /** The client calls, answers, streams or cancels: a message of type 1 to 5. */
  onMessage(message: CallMessage): void
  onDrain(): void
  /** Nothing was sent for the keep-alive interval: says something, or returns false for a ping. */
  onKeepAlive(): boolean
  /** Whether a call of the client is under way: then its silence is no timeout (SIGNALR 2.10 C1). */
  readonly isBusy: boolean
  /** The server is about to end the connection: what is ready to be said is said before. Left out where nothing waits. */
  onClosing?(): void
  /** With the reason, where the end is not the client's own doing. */
  onDisconnected(error?: Error): void
}
