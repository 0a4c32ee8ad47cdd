import type { Position } from '@serverchannel/protocol'
import type { ChannelError } from '../channel/channel-error.ts'
import type { Transport, TransportListener } from '../channel/transport.ts'
import type { Identity } from '../options.ts'
import type { HubRequest } from './hub-peer.ts'

/** One client's connection as its endpoint sees it, whether a hub is behind it or bytes are passed on as they are. */
export interface ServedConnection extends TransportListener {
  /** Public. */
  readonly id: string
  readonly identity: Identity
  /** Begins to listen to its transport. Called once. */
  start(): void
  /**
   * Goes on over another transport, with everything that it has said and not been acknowledged; one that it still has is
   * given up. @returns false, and nothing is done, where it can't
   */
  resumeOn(transport: Transport): boolean
  readonly canResume: boolean
  /** A client that shows who it is with each of its requests may show a newer proof of the same (SIGNALR L4). */
  renew(identity: Identity): void
  /** Ends the connection and says why; the client comes back by itself where the error's kind allows that. Idempotent. */
  close(error: ChannelError): void
  /** To be called about once a second: what time has brought. */
  tick(now: number): void
}

export interface ServedConnectionInit {
  readonly id: string
  readonly identity: Identity
  /** Where the client left off: see ConnectRequest. */
  readonly position: Position | null | undefined
  /** Whose that is, for a client that asks. */
  readonly owner?: string | undefined
  readonly transport: Transport
  /** Whether it may outlive its transport, if the client's handshake agrees (SIGNALR 2.11). */
  readonly isStateful: boolean
  readonly request: HubRequest
  /** Told why it ends, once; undefined where the client left. */
  readonly onEnd: (connection: ServedConnection, error: ChannelError | undefined) => void
  /** Told once, when its transport is gone too. */
  readonly onGone: (connection: ServedConnection) => void
}

/** The identity with a newer proof: the user stays who negotiated. */
export function renewed(identity: Identity, { user }: Identity): Identity {
  return { ...identity, ...(user === undefined ? {} : { user }) }
}
