import { openConnectionSource } from '../connection-source.ts'
import type { Settings } from '../options.ts'
import { chooseTransport } from '../transport-choice.ts'
import { longPolling } from '../transports/long-polling.ts'
import { serverSentEvents } from '../transports/server-sent-events.ts'
import type { TransportName } from '../transports/transport.ts'
import { webSocket } from '../transports/websocket.ts'
import { upgradeTransport } from '../upgrade.ts'
import { Relay, type RelayParts } from './relay.ts'

/** A relay whose connection goes to a hub. */
export function createHubRelay(
  hub: URL,
  settings: Settings,
  names: readonly TransportName[] | undefined,
  ways: Pick<RelayParts, 'toTab' | 'toAll'>,
): Relay {
  return new Relay({
    ...ways,
    environment: settings.environment,
    openSource(listener, { createCalls, accessToken }) {
      const { accessToken: given } = settings
      const own = { ...settings, accessToken: given === undefined ? undefined : accessToken }
      const choice = chooseTransport([webSocket, serverSentEvents, longPolling], names, hub, own)
      const open = upgradeTransport(
        (told) => openConnectionSource(hub, own, { choice, createCalls }, told),
        choice,
        hub,
        own,
      )
      return open(listener)
    },
  })
}
