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
  /** The transport listens. Called once. */
  start(): void
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
  readonly transport: Transport
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
