import { withoutPassword } from '../stores/open-store.ts'
import type { Outbox } from './outbox.ts'

/** @param isLog the same address is the store's */
type OpenOutbox = (address: string, isLog: boolean, onWarning: (reason: string) => void) => Promise<Outbox>

/** By the scheme that addresses begin with. A database's own client is loaded with the first address of its scheme. */
const openers = new Map<string, OpenOutbox>([
  ['postgres:', openPostgresOutbox],
  ['postgresql:', openPostgresOutbox],
])

async function openPostgresOutbox(
  address: string,
  isLog: boolean,
  onWarning: (reason: string) => void,
): Promise<Outbox> {
  const { PostgresOutbox } = await import('./postgres.ts')
  return new PostgresOutbox(address, isLog, onWarning)
}

/**
 * Makes the outbox of a database. A store whose log transactions can append to is its own outbox, where none is named.
 *
 * @param store the store's address; undefined: a store of the application's own
 * @throws TypeError where there is no such outbox
 */
export async function openOutbox(
  address: string | undefined,
  store: string | undefined,
  onWarning: (reason: string) => void,
): Promise<Outbox | undefined> {
  const chosen = address ?? store
  const open = openers.get(/^[a-z]+:/.exec(chosen ?? '')?.[0] ?? '')
  if (chosen !== undefined && open) return open(chosen, chosen === store, onWarning)
  if (address === undefined) return undefined
  const known = [...openers.keys()].map((scheme) => `'${scheme}'`).join(', ')
  throw new TypeError(`There is no outbox '${withoutPassword(address)}'. Outboxes begin with: ${known}.`)
}
