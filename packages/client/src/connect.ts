import type { HubContract } from '@serverchannel/protocol'
import { createCalls } from './calls.ts'
import type { Channel as ListeningChannel } from './channel.ts'
import { type ChannelCalls, createChannelCalls } from './channel-calls.ts'
import { type ChannelEventTarget, createEventTarget } from './channel-events.ts'
import { createOnce, type Once } from './channel-once.ts'
import { createChannel, type Parts } from './create-channel.ts'
import { Hub } from './hub.ts'
import { keepPosition } from './kept-position.ts'
import type { ConnectionOptions, ConnectOptions } from './options.ts'
import { chooseTransport } from './transport-choice.ts'
import { longPolling } from './transports/long-polling.ts'
import { serverSentEvents } from './transports/server-sent-events.ts'
import { webSocket } from './transports/websocket.ts'

/** The page's end of a server's channel. Made by {@link connect}. */
export type Channel<Contract = unknown> = ListeningChannel<Contract> &
  Once<Contract> &
  ChannelCalls &
  ChannelEventTarget

/**
 * Opens a channel to the server's hub, in the background: handlers can be added at once, and it stays connected, over
 * any number of lost connections, until it is closed.
 *
 * @param url of the hub; relative to the page, `http` or `ws`. Its query is kept. Default `/msg`.
 * @throws TypeError where the url or an option is none.
 *
 * @example
 * const channel = connect('/msg')
 * channel.on('OrderChanged', (body) => refresh(body))
 */
export function connect<Contract = unknown>(url = '/msg', options: ConnectOptions<Contract> = {}): Channel<Contract> {
  return connectBy(url, options)
}

/** @param share puts a source that pages share in the place of a connection of the page's own */
export function connectBy<Contract>(
  url: string,
  options: ConnectOptions<Contract>,
  share?: Parts['share'],
): Channel<Contract> {
  const { channel, source } = createChannel(url, options, {
    chooseTransport: (hub, settings, names) => chooseTransport(transports, names, hub, settings),
    createCalls,
    keepPosition,
    share,
  })
  return Object.assign(channel, createOnce(channel), createChannelCalls(channel, source), createEventTarget(channel))
}

/**
 * Connects to a hub of one's own, in the background. Typed by the contract that the server has too; `ChannelContract` of the
 * server is that of a channel's hub.
 *
 * @param url of the hub; relative to the page, `http` or `ws`.
 * @throws TypeError where the url or an option is none.
 *
 * @example
 * const hub = connectHub<ChatContract>('/chat')
 * hub.on('Said', (user, text) => show(user, text))
 * await hub.invoke('Say', ['hello'])
 */
export function connectHub<Contract extends HubContract = HubContract>(
  url: string,
  options: ConnectionOptions = {},
): Hub<Contract> {
  return new Hub({
    url,
    options,
    chooseTransport: (hub, settings) => chooseTransport(transports, options.transports, hub, settings),
  })
}

const transports = [webSocket, serverSentEvents, longPolling]
