import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import type { Store } from '../channel/store.ts'
import type { HistoryBounds } from './history-bounds.ts'
import { MemoryStore } from './memory.ts'

type OpenStore = (address: string, bounds: HistoryBounds) => Store | Promise<Store>

/** By the scheme that addresses begin with. A store's own client is loaded with the first address of its scheme. */
const openers = new Map<string, OpenStore>([
  ['memory:', openMemory],
  ['sqlite:', openSqlite],
  ['postgres:', openPostgresStore],
  ['postgresql:', openPostgresStore],
  ['redis:', openRedis],
  ['rediss:', openRedis],
  ['redis+sentinel:', openRedis],
  ['rediss+sentinel:', openRedis],
  ['redis+cluster:', openRedis],
  ['rediss+cluster:', openRedis],
  ['nats:', openNats],
  ['tls:', openNats],
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
  const open = openers.get(/^[a-z+]+:/.exec(address)?.[0] ?? '')
  if (!open) {
    const known = [...openers.keys()].map((scheme) => `'${scheme}'`).join(', ')
    throw new TypeError(`There is no store '${withoutPassword(address)}'. Stores begin with: ${known}.`)
  }
  return open(address, bounds)
}

/** Addresses of engines carry passwords, and errors are logged. */
export function withoutPassword(address: string): string {
  return address
    .replace(/^([a-z+]+:\/\/[^/@:]*):[^/]*@/, '$1:***@')
    .replace(/([?&](?:password|sslpassword|pass|token|sentinelPassword)=)[^&]*/g, '$1***')
}

async function openRedis(address: string, bounds: HistoryBounds): Promise<Store> {
  const { parseRedisAddress } = await import('./redis-address.ts')
  const parsed = parseRedisAddress(address)
  const { RedisStore } = await optional('ioredis@6', () => import('./redis.ts'))
  return new RedisStore(parsed, bounds)
}

async function openNats(address: string, bounds: HistoryBounds): Promise<Store> {
  const { parseNatsAddress } = await import('./nats-address.ts')
  const parsed = parseNatsAddress(address)
  const { NatsStore } = await optional('@nats-io/transport-node@3 @nats-io/jetstream@3', () => import('./nats.ts'))
  return new NatsStore(parsed, bounds)
}

/** Engines' clients are installed by who uses the engine. @throws TypeError that says how */
async function optional<Module>(packages: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw cause
    throw new TypeError(`This store needs a package that is not installed: npm install ${packages}`, { cause })
  }
}
