import type { Codec } from '@serverchannel/protocol'
import type { ChannelError } from '../channel/channel-error.ts'
import type { Chunk } from '../channel/chunk.ts'
import type { HubSession } from '../hub/hub.ts'
import type { CloseMessage, HubPeer, HubRequest } from '../hub/hub-peer.ts'
import type { Identity } from '../options.ts'
import type { ToConnection } from './messages.ts'

export interface RemotePeerParts {
  readonly id: string
  readonly codec: Codec
  readonly identity: () => Identity
  readonly send: (message: ToConnection) => void
}

const REQUEST: HubRequest = { transport: 'WebSockets', url: '', headers: {}, remoteAddress: undefined }

/** A client that a worker serves, as the channel's methods talk to it. */
export class RemotePeer implements HubPeer {
  readonly position = undefined
  readonly request: HubRequest = REQUEST
  /** The worker reads no client on that doesn't take its answers, and closes one that holds too much. */
  readonly bufferedBytes = 0
  readonly outstandingBytes = 0
  /** Who is asked whether a call is under way. */
  session: HubSession | undefined
  readonly #connection: number
  readonly #parts: RemotePeerParts

  constructor(connection: number, parts: RemotePeerParts) {
    this.#connection = connection
    this.#parts = parts
  }

  get id(): string {
    return this.#parts.id
  }

  get codec(): Codec {
    return this.#parts.codec
  }

  get identity(): Identity {
    return this.#parts.identity()
  }

  write(chunk: Chunk): void {
    this.say(chunk)
  }

  say({ payload, countedMessages }: Chunk): void {
    this.#parts.send({ kind: 'say', connection: this.#connection, payload, countedMessages })
  }

  callEnded(): void {
    this.#parts.send({ kind: 'callEnded', connection: this.#connection, isBusy: this.session?.isBusy ?? false })
  }

  close({ code, message }: ChannelError): void {
    this.#parts.send({ kind: 'close', connection: this.#connection, error: { code, message } })
  }

  end(message: CloseMessage): void {
    this.#parts.send({ kind: 'end', connection: this.#connection, message })
  }

  pause(): void {
    this.#parts.send({ kind: 'pause', connection: this.#connection, isPaused: true })
  }

  resume(): void {
    this.#parts.send({ kind: 'pause', connection: this.#connection, isPaused: false })
  }
}
