import { MessageType } from '@serverchannel/protocol'
import type { Channel } from '../channel/channel.ts'
import type { CallMessage, Hub, HubConnection, HubSession } from './hub-connection.ts'

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
      isBusy: false,
      onMessage: (message) => answerNoMethod(hubConnection, message),
      onDrain: () => connection.drained(),
      onKeepAlive: () => connection.tellPosition(),
      onClosing: () => connection.flush(),
      onDisconnected: () => this.#channel.disconnect(connection),
    }
  }
}

/** The hub has no methods yet: a call that waits for an answer gets .NET's words (SIGNALR 2.9), anything else none. */
function answerNoMethod(hubConnection: HubConnection, message: CallMessage): void {
  if (message.type !== MessageType.Invocation && message.type !== MessageType.StreamInvocation) return
  if (!message.invocationId) return
  hubConnection.send({
    type: MessageType.Completion,
    invocationId: message.invocationId,
    error: `Failed to invoke '${message.target}' due to an error on the server. HubException: Method does not exist.`,
  })
}
