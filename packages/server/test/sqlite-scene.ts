import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { LogState } from '../src/channel/store.ts'
import { SqliteStore, type SqliteStoreOptions } from '../src/stores/sqlite.ts'
import { Follower, UNBOUNDED } from './store-contract.ts'

/** What was built: a thread's program is a file that Node runs as it is. */
const program = new URL('../dist/stores/sqlite-worker.js', import.meta.url)

/** A file in a folder of its own, which is gone after the test. */
export function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'serverchannel-sqlite-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'messages.db')
}

export function createSqlite(options: Partial<SqliteStoreOptions> = {}): SqliteStore {
  return new SqliteStore({
    ...UNBOUNDED,
    file: options.file ?? temporaryFile(),
    durability: 'logged',
    storeWaitingBytesMax: 67_108_864,
    onWarning: () => {},
    program,
    ...options,
  })
}

export interface OpenedSqlite {
  readonly store: SqliteStore
  readonly follower: Follower
  readonly state: LogState
  readonly warnings: readonly string[]
}

export async function openSqlite(options: Partial<SqliteStoreOptions> = {}): Promise<OpenedSqlite> {
  const warnings: string[] = []
  const store = createSqlite({ onWarning: (reason) => warnings.push(reason), ...options })
  const follower = new Follower()
  const state = await store.open(follower)
  onTestFinished(() => store.close())
  return { store, follower, state, warnings }
}
