import type { HubContract } from '@serverchannel/protocol'
import type { HubContext } from './hub-context.ts'
import type { HubDefinition, HubFilter } from './hub-definition.ts'
import { toPromise } from './invocation.ts'
import { CLOSED_WITH_ERROR, withDetail } from './invocation-errors.ts'
import type { SessionParts } from './session-parts.ts'

type Parts = Pick<SessionParts, 'definition' | 'report'>

/**
 * Asks the hub whether the client may connect, and runs `onConnected` with the filters around it. Never rejects.
 *
 * @returns why the connection is closed; undefined where it is connected
 */
export async function letConnect(
  { definition, report }: Parts,
  context: HubContext<HubContract>,
): Promise<string | undefined> {
  const { authorize, onConnected, filters, detailedErrors } = definition
  try {
    // Not before whoever opened the connection knows its session.
    await Promise.resolve()
    const isAllowed: unknown = authorize ? await authorize(context) : true
    if (isAllowed !== true) return 'The connection was refused because user is unauthorized'
    await around(
      filters.map(({ connect }) => connect && ((next: () => Promise<void>) => connect(context, next))),
      () => onConnected?.(context),
    )
    return undefined
  } catch (error) {
    report(error, 'onConnected')
    return withDetail(CLOSED_WITH_ERROR, error, detailedErrors)
  }
}

/** Runs `onDisconnected` with the filters around it. Never rejects. */
export async function tellDisconnected(
  { definition, report }: Parts,
  context: HubContext<HubContract>,
  error: Error | undefined,
): Promise<void> {
  const { onDisconnected, filters } = definition
  try {
    // Not within whatever found out that the client is gone.
    await Promise.resolve()
    await around(
      filters.map(({ disconnect }) => disconnect && ((next: () => Promise<void>) => disconnect(context, error, next))),
      () => onDisconnected?.(context, error),
    )
  } catch (failure) {
    report(failure, 'onDisconnected')
  }
}

/** Whether a hub does anything at all when a client connects. */
export function asksOnConnect({ authorize, onConnected, filters }: HubDefinition<HubContract>): boolean {
  return (
    authorize !== undefined ||
    onConnected !== undefined ||
    filters.some(({ connect }: HubFilter<HubContract>) => connect)
  )
}

type Layer = ((next: () => Promise<void>) => unknown) | undefined

/** Runs the innermost with the layers around it, the first being the outermost. */
async function around(layers: readonly Layer[], innermost: () => unknown): Promise<void> {
  const from = async (index: number): Promise<void> => {
    if (index === layers.length) await innermost()
    else {
      const layer = layers[index]
      await (layer ? layer(() => toPromise(() => from(index + 1))) : from(index + 1))
    }
  }
  await from(0)
}
