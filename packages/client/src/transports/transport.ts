import type { ClientCodec } from '../codec.ts'

export type TransportName = 'websocket' | 'server-sent-events' | 'long-polling'

/** What a `WebSocket` object has to have: that of browsers and that of `ws` do. */
export interface WebSocketLike {
  binaryType?: string
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: object) => void): void
  send(data: string | Uint8Array<ArrayBuffer>): void
  close(): void
}

/** A `WebSocket` class. */
export type WebSocketConstructor = new (url: string) => WebSocketLike

/** What an attempt to connect is made with. */
export interface Attempt {
  /** Of the hub, `http` or `https`, with everything in its query that the server is to know. */
  readonly url: URL
  readonly accessToken: string | undefined
  readonly codec: ClientCodec
  readonly WebSocket: WebSocketConstructor | undefined
  readonly fetch: typeof fetch | undefined
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
  /** Where nobody says on it that he lives: how long a server that lives may say nothing, in milliseconds. */
  readonly silenceMs?: number
  readonly isTextOnly: boolean
  /** @throws what the browser throws where such a thing can't be made */
  readonly open: (attempt: Attempt, listener: TransportListener) => Transport
}

/** Which transport an attempt is made with. */
export interface TransportChoice {
  /** Of the next attempt. */
  next(): TransportKind
  /** It carries a connection. */
  worked(): void
  /** An attempt failed. Returns whether there is another transport to be tried at once. */
  failed(verdict: Verdict): boolean
  /** What did not pass may pass now. */
  anotherNetwork(): void
}

/** A choice among several. */
export interface TransportLadder extends TransportChoice {
  /** The one that is wanted most. */
  best(): TransportKind
  /** In how many milliseconds that is to be tried again; undefined: it carries the connection. */
  betterInMs(): number | undefined
  /** It does not pass, and what carries the connection does. */
  avoid(): void
}
