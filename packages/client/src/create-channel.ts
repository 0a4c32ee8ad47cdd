import type { createCalls } from './calls.ts'
import { Channel } from './channel.ts'
import { openConnectionSource } from './connection-source.ts'
import { paceWhenHidden } from './hidden-pace.ts'
import { resolveHubUrl } from './hub-url.ts'
import type { keepPosition } from './kept-position.ts'
import { type ConnectOptions, createSettings, type Settings } from './options.ts'
import type { MessageSource, OpenSource } from './source.ts'
import type { TransportLadder, TransportName } from './transports/transport.ts'
import { upgradeTransport } from './upgrade.ts'

/** What an entry of the package is made of: what it leaves out costs nothing. */
export interface Parts {
  /** Which transport an attempt is made with. @throws TypeError where none is left */
  readonly chooseTransport: (
    hub: URL,
    settings: Settings,
    names: readonly TransportName[] | undefined,
  ) => TransportLadder
  readonly createCalls?: typeof createCalls | undefined
  readonly keepPosition?: typeof keepPosition | undefined
  /** Puts another source in the place of a connection of the page's own. */
  readonly share?: ((own: OwnConnection) => OpenSource) | undefined
}

/** A connection of the page's own, and what it is made of. */
export interface OwnConnection {
  readonly hub: URL
  readonly settings: Settings
  readonly transports: readonly TransportName[] | undefined
  readonly openOwn: OpenSource
}

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
  const kept = area ? keepPosition?.(hub, area, environment, position) : undefined
  const connected = upgradeTransport(
    (listener) => openConnectionSource(hub, settings, { choice, createCalls }, listener),
    choice,
    hub,
    settings,
  )
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
