import type { IncomingHttpHeaders } from 'node:http'
import type { Codec, HubMessage, Position } from '@serverchannel/protocol'
import type { Chunk } from '../channel/chunk.ts'
import type { Outlet } from '../channel/connection.ts'
import type { Transport } from '../channel/transport.ts'
import type { Identity } from '../options.ts'

/** The request that opened a connection's transport. */
export interface HubRequest {
  readonly transport: Transport['name']
  /** Path and query. */
  readonly url: string
  /** Names in lower case, as Node gives them. */
  readonly headers: Readonly<IncomingHttpHeaders>
  /** Of the socket: a proxy's, where one is in front. */
  readonly remoteAddress: string | undefined
}

export type CloseMessage = Extract<HubMessage, { readonly type: 7 }>

/** A connection as the hub's runtime needs it, whatever carries it. */
export interface HubPeer extends Outlet {
  /** Public. */
  readonly id: string
  readonly identity: Identity
  readonly codec: Codec
  /** Where the client left off in the channel's log: see ConnectRequest. */
  readonly position: Position | null | undefined
  /** Whose that is, for a client that asks. */
  readonly owner?: string | undefined
  readonly request: HubRequest
  /** Bytes written that the network has not taken. */
  readonly bufferedBytes: number
  /**
   * Writes what comes first in a turn of the loop at once, and what follows in the same turn together when that is over.
   * What is written meanwhile comes after it.
   */
  say(chunk: Chunk): void
  /** What the client waited for is over: its silence is counted from now (SIGNALR 2.10 C1). */
  callEnded(): void
  /** Says this Close, and ends the connection after it (1000). Idempotent: of a second call nothing is said. */
  end(message: CloseMessage): void
  /** Takes nothing more from the client until `resume`; what has been received may still come. Idempotent. */
  pause(): void
  resume(): void
}
