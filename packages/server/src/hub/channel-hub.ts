import { CHANNEL_OWNER_TARGET, MessageType } from '@serverchannel/protocol'
import type { Channel } from '../channel/channel.ts'
import { Chunk, toBytes } from '../channel/chunk.ts'
import type { CallMessage, Hub, HubSession } from './hub.ts'
import type { HubPeer } from './hub-peer.ts'

/** The channel's own hub: a client that has shaken hands gets the channel's messages, and can call its methods. */
export class ChannelHub implements Hub {
  readonly #channel: Channel
  readonly #methods: Hub

  /** @param methods what clients call, a hub like any other */
  constructor(channel: Channel, methods: Hub) {
    this.#channel = channel
    this.#methods = methods
  }

  onConnected(peer: HubPeer): HubSession {
    return new ChannelSession(peer, this.#channel, this.#methods)
  }
}

class ChannelSession implements HubSession {
  readonly #peer: HubPeer
  readonly #channel: Channel
  readonly #methods: Hub
  readonly #connection: ReturnType<Channel['connect']>
  /** Made with the client's first call: most clients only listen, and it would be half of what they take in memory. */
  #calls: HubSession | undefined

  constructor(peer: HubPeer, channel: Channel, methods: Hub) {
    const { id, identity, codec, position, owner } = peer
    this.#peer = peer
    this.#channel = channel
    this.#methods = methods
    if (owner !== undefined) tellOwner(peer, owner)
    this.#connection = channel.connect({
      id,
      user: identity.user,
      groups: identity.groups ?? [],
      codec,
      outlet: peer,
      position,
    })
  }

  get isBusy(): boolean {
    return this.#calls?.isBusy ?? false
  }

  onMessage(message: CallMessage): void {
    this.#calls ??= this.#methods.onConnected(this.#peer)
    this.#calls.onMessage(message)
  }

  onDrain(): void {
    this.#connection.drained()
    this.#calls?.onDrain()
  }

  onKeepAlive(): boolean {
    return this.#connection.tellPosition()
  }

  onClosing(): void {
    this.#connection.flush()
  }

  onDisconnected(error?: Error): void {
    this.#channel.disconnect(this.#connection)
    this.#calls?.onDisconnected(error)
  }
}

function tellOwner(peer: HubPeer, owner: string): void {
  const call = { type: MessageType.Invocation, target: CHANNEL_OWNER_TARGET, arguments: [owner] } as const
  peer.write(new Chunk(toBytes(peer.codec.encode(call)), 1))
}
