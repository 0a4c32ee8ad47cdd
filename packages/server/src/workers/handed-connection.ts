import { jsonCodec } from '@serverchannel/protocol'
import { messagePackCodec } from '@serverchannel/protocol/messagepack'
import type { Channel } from '../channel/channel.ts'
import { ChannelError, isErrorCode } from '../channel/channel-error.ts'
import type { RemoteConnection } from '../channel/remote-connection.ts'
import type { CallMessage, Hub, HubSession } from '../hub/hub.ts'
import { renewed, type ServedConnection } from '../hub/served-connection.ts'
import type { Identity } from '../options.ts'
import type { HandedClient } from '../transports/hand-over.ts'
import type { FromConnection, ToConnection } from './messages.ts'
import { RemotePeer } from './remote-peer.ts'

export interface HandedConnectionParts {
  readonly channel: Channel
  /** The methods that clients call. */
  readonly methods: Hub
  readonly send: (message: ToConnection) => void
}

/**
 * A connection of this server that a worker serves, as the server's process has it: counted, closed, renewed and put into
 * groups here. What its client calls runs here.
 */
export class HandedConnection implements ServedConnection {
  readonly number: number
  readonly canResume = false
  readonly #client: Omit<HandedClient, 'request' | 'head'>
  readonly #parts: HandedConnectionParts
  #identity: Identity
  #isClosing = false
  #hasEnded = false
  #isGone = false
  #remote: RemoteConnection | undefined
  #peer: RemotePeer | undefined
  #session: HubSession | undefined

  constructor(
    number: number,
    { id, identity, position, owner, onEnd, onGone }: HandedClient,
    parts: HandedConnectionParts,
  ) {
    this.number = number
    // Without its request, which it would keep.
    this.#client = { id, identity, position, owner, onEnd, onGone }
    this.#parts = parts
    this.#identity = identity
  }

  get id(): string {
    return this.#client.id
  }

  get identity(): Identity {
    return this.#identity
  }

  start(): void {}

  resumeOn(): boolean {
    return false
  }

  renew(identity: Identity): void {
    this.#identity = renewed(identity, this.#identity)
    this.#parts.send({ kind: 'renew', connection: this.number, identity: this.#identity })
  }

  close({ code, message }: ChannelError): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#parts.send({ kind: 'close', connection: this.number, error: { code, message } })
  }

  /** The worker watches over it. */
  tick(): void {}

  onData(): void {}

  onDrain(): void {}

  onClose(): void {}

  /** From now on what is posted to the group is for it, or no more. */
  setGroup(group: string, isIn: boolean): void {
    this.#parts.send({ kind: 'group', connection: this.number, group, isIn })
  }

  onMessage(message: FromConnection): void {
    switch (message.kind) {
      case 'handshaken':
        this.#open(message.codec)
        return
      case 'called':
        this.#call(message.message)
        return
      case 'ended':
        this.#end(
          message.error &&
            new ChannelError(isErrorCode(message.error.code) ? message.error.code : 'internal', message.error.message),
        )
        return
      case 'gone':
        this.lost(undefined)
        return
      default:
        message satisfies never
    }
  }

  /** Its socket is gone. Idempotent. */
  lost(error: ChannelError | undefined): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#end(error)
    this.#client.onGone(this)
  }

  #open(codecName: string): void {
    const { id } = this.#client
    const { user, groups = [] } = this.#identity
    const codec = codecName === messagePackCodec.name ? messagePackCodec : jsonCodec
    this.#peer = new RemotePeer(this.number, { id, codec, identity: () => this.#identity, send: this.#parts.send })
    this.#remote = this.#parts.channel.connectRemote({
      id,
      user,
      groups,
      onGroup: (group, isIn) => this.setGroup(group, isIn),
      onPace: (intervalMs) => this.#parts.send({ kind: 'pace', connection: this.number, intervalMs }),
    })
  }

  #call(message: CallMessage): void {
    if (!this.#peer || !this.#remote) return
    if (!this.#session) {
      this.#session = this.#parts.methods.onConnected(this.#peer)
      this.#peer.session = this.#session
    }
    this.#session.onMessage(message)
    this.#parts.send({ kind: 'taken', connection: this.number, isBusy: this.#session.isBusy })
  }

  #end(error: ChannelError | undefined): void {
    const remote = this.#remote
    const session = this.#session
    this.#remote = undefined
    this.#session = undefined
    if (remote) this.#parts.channel.disconnect(remote)
    session?.onDisconnected(error)
    if (!this.#hasEnded) this.#client.onEnd(this, error)
    this.#hasEnded = true
  }
}
