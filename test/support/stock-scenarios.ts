import { callScenarios } from './stock-calls.ts'
import { endingScenarios } from './stock-endings.ts'
import type { Scenario, StockScene } from './stock-scene.ts'
import { serverCallScenarios } from './stock-server-calls.ts'
import { streamScenarios } from './stock-streams.ts'

/** Everything that the hub runtime offers to a client over this transport. */
export function scenariosOver({ transport }: Carrier): Scenario[] {
  return scenarios.filter(({ only }) => only === undefined || only === transport)
}

export const scenarios: readonly Scenario[] = [
  ...callScenarios,
  ...streamScenarios,
  ...serverCallScenarios,
  ...endingScenarios,
]

export type Carrier = Pick<StockScene, 'transport' | 'protocol'>

/** The transports, with the protocols that they carry. */
export const carriers: readonly Carrier[] = [
  { transport: 'WebSockets', protocol: 'json' },
  { transport: 'WebSockets', protocol: 'messagepack' },
  { transport: 'ServerSentEvents', protocol: 'json' },
  { transport: 'LongPolling', protocol: 'json' },
  { transport: 'LongPolling', protocol: 'messagepack' },
]
