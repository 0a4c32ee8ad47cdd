import type { ConnectionOptions, Settings } from '../options.ts'
import type { TransportName } from '../transports/transport.ts'

const DURATIONS = [
  'reconnectDelayMs',
  'reconnectDelayMsMax',
  'serverTimeoutMs',
  'keepAliveIntervalMs',
  'handshakeTimeoutMs',
] as const

/** What a worker has to know of the settings. */
export interface SharedSettings {
  /** The hub's url, whole. */
  readonly hub: string
  readonly options: Pick<ConnectionOptions, (typeof DURATIONS)[number] | 'transports'>
  readonly hasAccessToken: boolean
}

/** It is the identity of the shared connection as well: same settings, same text; others get another one. */
export function sharedName(hub: URL, settings: Settings, transports: readonly TransportName[] | undefined): string {
  const durations = Object.fromEntries(DURATIONS.map((name) => [name, settings[name]]))
  const shared: SharedSettings = {
    hub: hub.href,
    options: { ...durations, ...(transports ? { transports } : {}) },
    hasAccessToken: settings.accessToken !== undefined,
  }
  return JSON.stringify(shared)
}

export function readSharedName(name: string): SharedSettings {
  return JSON.parse(name) as SharedSettings
}
