import type { Channel } from './connect.ts'
import { EventName, ServerChannelSender, SocketConnectionState } from './terrasoft/constants.ts'
import { installNames } from './terrasoft/install-names.ts'
import { ServerChannel, type ServerChannelOptions } from './terrasoft/server-channel.ts'
import { BaseServerChannelResponse } from './terrasoft/server-channel-response.ts'

export type { Message, MessageHeader } from '@serverchannel/protocol'
export type { EventHandler, ListenerOptions } from './terrasoft/listener.ts'
export type { ListenerConfig, ListenerConfigs } from './terrasoft/listener-configs.ts'
export type { Destroyable, Listenable, Observable } from './terrasoft/observable.ts'
export type {
  MessageObject,
  ServerChannel,
  ServerChannelEvents,
  ServerChannelOptions,
} from './terrasoft/server-channel.ts'
export type { BaseServerChannelResponse } from './terrasoft/server-channel-response.ts'

/** What pages written for Creatio find under its global name. Source: PARITY 2.1. */
export interface Terrasoft {
  readonly ServerChannel: ServerChannel
  readonly EventName: typeof EventName
  readonly SocketConnectionState: typeof SocketConnectionState
  readonly ServerChannelSender: typeof ServerChannelSender
  readonly BaseServerChannelResponse: typeof BaseServerChannelResponse
}

/** What {@link installTerrasoft} can be told, besides how to connect. */
export interface InstallOptions extends ServerChannelOptions {
  /** Of the global, such as `BPMSoft`. Default `Terrasoft`. */
  readonly name?: string | undefined
  /** A channel that is there already, instead of options to connect with. */
  readonly channel?: Channel | undefined
}

/**
 * Creatio's names over a channel, or over a connection that is begun when it is first needed.
 *
 * @example
 * const Terrasoft = createTerrasoft({ url: '/msg' })
 * Terrasoft.ServerChannel.on(Terrasoft.EventName.ON_MESSAGE, (scope, message) => refresh(message.Body))
 */
export function createTerrasoft(channelOrOptions: Channel | ServerChannelOptions = {}): Terrasoft {
  return {
    ServerChannel: new ServerChannel(channelOrOptions),
    EventName: { ...EventName },
    SocketConnectionState: { ...SocketConnectionState },
    ServerChannelSender: { ...ServerChannelSender },
    BaseServerChannelResponse,
  }
}

/**
 * Makes Creatio's names global. What is there under the global's name already stays as it is and gets what it lacks, so
 * a second call changes nothing. Returns the global.
 *
 * @example
 * installTerrasoft(globalThis, { name: 'BPMSoft', url: '/msg' })
 */
export function installTerrasoft(target: object = globalThis, options: InstallOptions = {}): Terrasoft {
  const { name = 'Terrasoft', channel, ...connecting } = options
  // Of a global that others made, the names are ours or theirs alike.
  return installNames(target, name, createTerrasoft(channel ?? connecting)) as Terrasoft
}
