import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import type { Store } from '../channel/store.ts'
import { MemoryStore } from './memory.ts'

/** What every store is told: the bounds of its history, and the time that age is measured by, ms since 1970. */
export interface HistoryBounds {
  readonly historyCountMax: number
  readonly historyBytesMax: number
  readonly historyAgeMaxMs: number
  readonly now: () => number
  /** Bytes of entries that are not in the log yet; any more are refused. */
  readonly storeWaitingBytesMax: number
  /** How safe an acknowledged message is to be, where the store leaves the choice. */
  readonly durability: 'logged' | 'synced' | undefined
  /** Told what whoever runs it has to know, in words. */
  readonly onWarning: (reason: string) => void
}

type OpenStore = (address: string, bounds: HistoryBounds) => Store | Promise<Store>

/** By the scheme that addresses begin with. A store's own client is loaded with the first address of its scheme. */
const openers = new Map<string, OpenStore>([
  ['memory:', openMemory],
  ['sqlite:', openSqlite],
  ['postgres:', openPostgresStore],
  ['postgresql:', openPostgresStore],
])

function openMemory(_address: string, bounds: HistoryBounds): Store {
  if (bounds.durability !== undefined) {
    throw new TypeError(
      `A 'memory:' store can't be '${bounds.durability}': leave 'durability' out, or name another store.`,
    )
  }
  return new MemoryStore({ ...bounds, epoch: randomBytes(9).toString('base64url') })
}

async function openSqlite(address: string, bounds: HistoryBounds): Promise<Store> {
  const file = address.slice('sqlite:'.length)
  if (file === '' || file.startsWith(':')) {
    throw new TypeError(`'${address}' names no file; one does like 'sqlite:./messages.db'.`)
  }
  const { SqliteStore } = await import('./sqlite.ts')
  return new SqliteStore({ ...bounds, file: resolve(file), durability: bounds.durability ?? 'logged' })
}

async function openPostgresStore(address: string, bounds: HistoryBounds): Promise<Store> {
  if (bounds.durability !== undefined) {
    throw new TypeError(
      "How safe messages in PostgreSQL are is for its own settings to say: leave 'durability' out. See docs/stores.md.",
    )
  }
  const { PostgresStore } = await import('./postgres.ts')
  return new PostgresStore({ ...bounds, address })
}

/**
 * Makes the store of an address; the channel opens it.
 *
 * @throws TypeError where there is no such store
 */
export async function openStore(address: string, bounds: HistoryBounds): Promise<Store> {
  const open = openers.get(/^[a-z]+:/.exec(address)?.[0] ?? '')
  if (!open) {
    const known = [...openers.keys()].map((scheme) => `'${scheme}'`).join(', ')
    throw new TypeError(`There is no store '${withoutPassword(address)}'. Stores begin with: ${known}.`)
  }
  return open(address, bounds)
}

/** Addresses of engines carry passwords, and errors are logged. */
export function withoutPassword(address: string): string {
  return address
    .replace(/^([a-z]+:\/\/[^/@:]*):[^/]*@/, '$1:***@')
    .replace(/([?&](?:password|sslpassword|pass)=)[^&]*/g, '$1***')
}
