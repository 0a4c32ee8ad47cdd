import type { Channel } from '../channel/channel.ts'
import type { Hub, HubConnection, HubSession } from './hub-connection.ts'

/** The channel's own hub: a client that has shaken hands gets the channel's messages. */
export class ChannelHub implements Hub {
  readonly #channel: Channel

  constructor(channel: Channel) {
    this.#channel = channel
  }

  onConnected(hubConnection: HubConnection): HubSession {
    const { id, identity, codec, position } = hubConnection
    const connection = this.#channel.connect({
      id,
      user: identity.user,
      groups: identity.groups ?? [],
      codec,
      outlet: hubConnection,
      position,
    })
    return {
      onDrain: () => connection.drained(),
      onKeepAlive: () => connection.tellPosition(),
      onDisconnected: () => this.#channel.disconnect(connection),
    }
  }
}
