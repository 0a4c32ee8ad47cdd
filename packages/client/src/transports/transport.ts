import type { ClientCodec } from '../codec.ts'
import type { WebSocketConstructor } from './websocket.ts'

export type TransportName = 'websocket' | 'server-sent-events' | 'long-polling'

/** What an attempt to connect is made with. */
export interface Attempt {
  /** Of the hub, `http` or `https`, with everything in its query that the server is to know. */
  readonly url: URL
  readonly accessToken: string | undefined
  readonly codec: ClientCodec
  readonly WebSocket: WebSocketConstructor | undefined
  readonly fetch: typeof fetch
}

/**
 * Why a transport ended, as far as that is known. `refused`: the server answered, and wants no connection now.
 * `unreachable`: the server can't be had at all. Undefined: it may be the network that does not let this transport pass.
 */
export type Verdict = 'refused' | 'unreachable' | undefined

/** Told by a transport. Things may come late, after it was closed: the listener is to know. */
export interface TransportListener {
  onOpen(): void
  /** Text, or an ArrayBuffer, as it came. */
  onData(data: unknown): void
  /** Why, in words for people. */
  onClose(reason: string, verdict?: Verdict): void
}

/** Carries a connection. */
export interface Transport {
  send(data: string | Uint8Array<ArrayBuffer>): void
  /** Ends it; resolves when nothing of it is left. Idempotent. */
  close(): Promise<unknown>
}

/** A way to carry connections. */
export interface TransportKind {
  readonly name: TransportName
  /** Whether both ends say on it that they live. Not while polling: polls do. */
  readonly hasPings: boolean
  readonly isTextOnly: boolean
  /** @throws what the browser throws where such a thing can't be made */
  readonly open: (attempt: Attempt, listener: TransportListener) => Transport
}

/** In the order in which they are tried. */
export type TransportKinds = readonly [TransportKind, ...TransportKind[]]
