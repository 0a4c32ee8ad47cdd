import { Channel } from './channel.ts'
import { openConnectionSource } from './connection-source.ts'
import { paceWhenHidden } from './hidden-pace.ts'
import { resolveHubUrl } from './hub-url.ts'
import { type ConnectOptions, createSettings, type Parts } from './options.ts'
import type { MessageSource, OpenSource } from './source.ts'

/** A channel over a connection of this page's own, and that connection. */
export function createChannel<Contract>(
  url: string,
  options: ConnectOptions<Contract>,
  { chooseTransport, createCalls, keepPosition, share }: Parts,
): { readonly channel: Channel<Contract>; readonly source: MessageSource } {
  const { position, development, messages, keepPosition: area = 'tab', transports, whenHidden } = options
  const settings = createSettings(options)
  const { environment } = settings
  const hub = resolveHubUrl(url)
  const choice = chooseTransport(hub, settings, transports)
  const kept = area ? keepPosition?.(hub, area, environment) : undefined
  const connected: OpenSource = (listener) => openConnectionSource(hub, settings, { choice, createCalls }, listener)
  const openOwn = whenHidden === 'latest' ? paceWhenHidden(connected, environment, options.hiddenIntervalMs) : connected
  const open = share?.({ hub, settings, transports, openOwn }) ?? openOwn
  const channel = new Channel<Contract>({
    openSource: kept?.keep(open) ?? open,
    environment,
    position: position || kept?.position,
  })
  development?.watch(channel, messages)
  return { channel, source: channel.source }
}
