import { resolve } from 'node:path'
import { withoutPassword } from '../stores/open-store.ts'
import type { Outbox } from './outbox.ts'
import type { ReadPost } from './outbox-row.ts'

interface OutboxParts {
  /** Of the outbox, as the option says; undefined: the store may be its own. */
  readonly address: string | undefined
  /** Undefined: a store of the application's own. */
  readonly store: string | undefined
  readonly readPost: ReadPost
  readonly onWarning: (reason: string) => void
}

interface Opening extends OutboxParts {
  readonly address: string
  /** The same address is the store's. */
  readonly isLog: boolean
}

/** By the scheme that addresses begin with. A database's own client is loaded with the first address of its scheme. */
const openers = new Map<string, (opening: Opening) => Promise<Outbox>>([
  ['postgres:', openPostgresOutbox],
  ['postgresql:', openPostgresOutbox],
  ['sqlite:', openSqliteOutbox],
  ['mysql:', openMysqlOutbox],
  ['mariadb:', openMysqlOutbox],
])
/** A store whose log transactions can append to is its own outbox, where none is named. */
const logs = new Set(['postgres:', 'postgresql:'])

async function openPostgresOutbox({ address, isLog, onWarning }: Opening): Promise<Outbox> {
  const { PostgresOutbox } = await import('./postgres.ts')
  return new PostgresOutbox(address, isLog, onWarning)
}

async function openSqliteOutbox({ address, store, readPost, onWarning }: Opening): Promise<Outbox> {
  const file = parseSqliteAddress(address)
  if (store?.startsWith('sqlite:') && resolve(store.slice('sqlite:'.length)) === file) {
    throw new TypeError("The log needs an SQLite file of its own: name another one as 'store' than as 'outbox'.")
  }
  const { SqliteOutbox } = await import('./sqlite.ts')
  return new SqliteOutbox(file, readPost, onWarning)
}

async function openMysqlOutbox({ address, readPost, onWarning }: Opening): Promise<Outbox> {
  const { MysqlOutbox } = await import('./mysql.ts')
  return new MysqlOutbox(address, readPost, onWarning)
}

/** @returns the file's path @throws TypeError where it names none */
export function parseSqliteAddress(address: string): string {
  const file = address.slice('sqlite:'.length)
  if (file !== '' && !file.startsWith(':')) return resolve(file)
  throw new TypeError(`'${address}' names no file; one does like 'sqlite:./app.db'.`)
}

/**
 * Makes the outbox of a database.
 *
 * @throws TypeError where there is no such outbox
 */
export async function openOutbox(parts: OutboxParts): Promise<Outbox | undefined> {
  const { address, store } = parts
  const chosen = address ?? store
  if (chosen === undefined) return undefined
  const scheme = /^[a-z]+:/.exec(chosen)?.[0] ?? ''
  if (address === undefined && !logs.has(scheme)) return undefined
  const open = openers.get(scheme)
  if (open) return open({ ...parts, address: chosen, isLog: chosen === store })
  const known = [...openers.keys()].map((each) => `'${each}'`).join(', ')
  throw new TypeError(`There is no outbox '${withoutPassword(chosen)}'. Outboxes begin with: ${known}.`)
}
