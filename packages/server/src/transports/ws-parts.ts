import type { Writable } from 'node:stream'
import * as ws from 'ws'

/** What ws exports and its types don't name. */
interface WsParts {
  readonly Receiver: new (options: ReceiverOptions) => Receiver
  readonly Sender: { frame(data: Buffer, options: FrameOptions): readonly Buffer[] }
  readonly subprotocol: { parse(header: string): ReadonlySet<string> }
}

export interface ReceiverOptions {
  readonly isServer: boolean
  readonly maxPayload: number
  readonly maxFragments: number
}

/**
 * Reads frames, as one takes them off a stream. Says `message`, `ping`, `pong` and, of a close frame, `conclude`; without
 * compression within the write that brings them.
 */
export interface Receiver extends Writable {
  readonly _write: (this: Receiver, bytes: Buffer, encoding: 'binary', done: (error?: Error | null) => void) => void
  /** Bytes of a frame that is not complete; unknown where another version of ws has other names. */
  readonly _bufferedBytes?: unknown
  /** 0: the next byte begins a frame. */
  readonly _state?: unknown
  /** 0: the next frame begins a message. */
  readonly _fragmented?: unknown
}

interface FrameOptions {
  readonly fin: boolean
  readonly rsv1: boolean
  readonly opcode: number
  readonly mask: boolean
  readonly readOnly: boolean
}

const parts = ws as unknown as WsParts

export const Receiver: WsParts['Receiver'] = parts.Receiver
export const Sender: WsParts['Sender'] = parts.Sender
export const subprotocol: WsParts['subprotocol'] = parts.subprotocol
