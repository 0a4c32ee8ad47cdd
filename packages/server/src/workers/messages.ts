import type { IncomingHttpHeaders } from 'node:http'
import type { Position } from '@serverchannel/protocol'
import type { CallMessage } from '../hub/hub.ts'
import type { CloseMessage } from '../hub/hub-peer.ts'
import type { DirectWrites, Identity, Limits } from '../options.ts'
import type { StoreNotice, StoreRequest } from './store-messages.ts'

/** What comes to a worker with a socket. */
export interface HandedSocket {
  /** Names the connection from now on. They count up. */
  readonly connection: number
  readonly id: string
  readonly identity: Identity
  readonly position: Position | null | undefined
  /** Whose that is, for a client that asks. */
  readonly owner: string | undefined
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** What came behind the request. */
  readonly head: Uint8Array
}

/** What an error is between processes. */
export interface SentError {
  readonly code: string
  readonly message: string
}

/** What the server's process says to a worker. */
export type ToWorker =
  | StoreNotice
  | { readonly kind: 'start'; readonly limits: Limits; readonly directWrites: DirectWrites }
  | { readonly kind: 'exit' }
  | ToConnection

/** Of it, what is for one connection. */
export type ToConnection = { readonly connection: number } & (
  | { readonly kind: 'close'; readonly error: SentError }
  | { readonly kind: 'renew'; readonly identity: Identity }
  | { readonly kind: 'group'; readonly group: string; readonly isIn: boolean }
  /** See Connection.tellEvery. */
  | { readonly kind: 'pace'; readonly intervalMs: number }
  /** What the hub's methods say to the client. */
  | { readonly kind: 'say'; readonly payload: Uint8Array; readonly countedMessages: number }
  | { readonly kind: 'end'; readonly message: CloseMessage }
  /** A call was taken. `isBusy`: whether any is under way. */
  | { readonly kind: 'taken'; readonly isBusy: boolean }
  | { readonly kind: 'callEnded'; readonly isBusy: boolean }
  | { readonly kind: 'pause'; readonly isPaused: boolean }
)

/** What a worker says to the server's process. */
export type ToServer =
  | StoreRequest
  /** It takes sockets. */
  | { readonly kind: 'ready' }
  /** About once a second. */
  | { readonly kind: 'alive' }
  /** A socket has come; the next may. */
  | { readonly kind: 'arrived'; readonly connection: number }
  | FromConnection

/** Of it, what one connection says. */
export type FromConnection = { readonly connection: number } /** The handshake is done. */ & (
  | { readonly kind: 'handshaken'; readonly codec: string }
  | { readonly kind: 'called'; readonly message: CallMessage }
  /** It ends; with the reason, where that is not the client's own. */
  | { readonly kind: 'ended'; readonly error: SentError | undefined }
  /** Its socket is gone too. */
  | { readonly kind: 'gone' }
)
