import type { Chunk } from './chunk.ts'

/** Why a transport ends, as WebSocket close codes name it. */
export type CloseCode = 1000 | 1011

/** A peer's bytes, out. A seam: WebSocket, SSE and long polling pass one contract suite. */
export interface Transport {
  readonly name: 'WebSockets' | 'ServerSentEvents' | 'LongPolling'
  /** What it can carry. */
  readonly transferFormats: readonly ('Text' | 'Binary')[]
  /** Whether silence means anything on it: then both ends ping. Polls tell by themselves that the peer lives. */
  readonly hasKeepAlive: boolean
  /** Bytes written that the peer has not taken. */
  readonly bufferedBytes: number
  /** Bytes that the peer has taken since the beginning: while this stands still, the peer makes no progress. */
  readonly takenBytes: number
  /** Who is told of what comes. Called once, before anything is written. */
  listen(listener: TransportListener): void
  /** Which of the formats is written from now on. */
  useFormat(format: 'Text' | 'Binary'): void
  /** Never waits. What is written after the end is dropped. */
  write(chunk: Chunk): void
  /** Ends it after what was written. Idempotent. */
  close(code: CloseCode): void
  /** Ends it at once, whatever was written. Idempotent. */
  abort(): void
  /** Takes nothing from the peer until `resume`, so that the peer is slowed down. */
  pause(): void
  resume(): void
}

/** A peer's bytes, in. Calls come one at a time, and none after `onClose`. */
export interface TransportListener {
  onData(data: string | Buffer): void
  /** All that was written has been taken. */
  onDrain(): void
  /**
   * The peer is gone, or the end that was asked for has come. Called once. `isLost`: the network broke, and the peer may
   * still be there.
   */
  onClose(isLost: boolean): void
}
