import type { HubContract } from '@serverchannel/protocol'
import type { Clock } from '../channel/clock.ts'
import type { Limits } from '../options.ts'
import type { HubClients } from './hub-clients.ts'
import type { HubDefinition } from './hub-definition.ts'
import type { HubDirectory } from './hub-directory.ts'
import type { HubGroups } from './hub-groups.ts'

/** What all sessions of a hub share. */
export interface SessionParts {
  readonly definition: HubDefinition<HubContract>
  readonly directory: HubDirectory
  readonly clients: HubClients<HubContract['client']>
  readonly groups: HubGroups
  readonly limits: Limits
  readonly clock: Clock
  /** Ids of calls of clients: `s1`, `s2`, … */
  readonly createInvocationId: () => string
  readonly report: (error: unknown, where: string) => void
}
