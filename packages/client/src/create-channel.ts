import { Channel } from './channel.ts'
import { openConnectionSource } from './connection-source.ts'
import { resolveHubUrl } from './hub-url.ts'
import { type ConnectOptions, createSettings, type Parts } from './options.ts'

/** A channel over a connection of this page's own. */
export function createChannel<Contract>(
  url: string,
  options: ConnectOptions<Contract>,
  parts: Parts,
): Channel<Contract> {
  const { position, development, messages, keepPosition: area = 'tab' } = options
  const settings = createSettings(options, parts)
  const { environment } = settings
  const hub = resolveHubUrl(url)
  development?.onConnect(messages)
  return new Channel({
    openSource: (listener) => openConnectionSource(hub, settings, listener),
    environment,
    position: position || undefined,
    kept: (area && parts.keepPosition?.(hub, area, environment)) || undefined,
    development,
  })
}
