import { statSync } from 'node:fs'
import { type Database, failureOf, openDatabase, type SqlValue } from '../stores/sqlite-database.ts'
import { lastWithin, type OutboxRow, ROW_COLUMNS, TAKE_COUNT } from './outbox-row.ts'
import { installSqlite } from './sqlite-schema.ts'

/** As long as others let a relay that took and said nothing more; then another one takes the same. */
const LEASE_MS = 5000
/** For transactions of the application. The process has nothing else to do. */
const BUSY_MS = 500

/** What there was to take. `busy`: somebody else takes, or writes for long; it is to be tried again soon. */
export type SqliteTaken =
  | { readonly type: 'taken'; readonly rows: readonly OutboxRow[] }
  | { readonly type: 'none' | 'busy' }

/** The application's database, as the one process sees it that takes messages from it. All of it is synchronous. */
export class SqliteOutboxFile {
  readonly #file: string
  readonly #database: Database
  readonly #holder: string
  readonly #identity: string
  #version: unknown

  /** @param holder tells this relay from all others */
  static async open(file: string, holder: string): Promise<SqliteOutboxFile> {
    const identity = identityOf(file)
    if (identity === undefined) throw new TypeError(`There is no file '${file}': make the database first.`)
    const database = await openDatabase(file)
    try {
      database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
      // What is taken must be on the disk: a page must not see what a failure of the power undoes.
      database.exec('PRAGMA synchronous = FULL')
      installSqlite(database)
      return new SqliteOutboxFile(file, database, holder, identity)
    } catch (error) {
      database.close()
      throw error
    }
  }

  private constructor(file: string, database: Database, holder: string, identity: string) {
    this.#file = file
    this.#database = database
    this.#holder = holder
    this.#identity = identity
  }

  /** Whether somebody has committed since this was asked last. */
  isChanged(): boolean {
    const before = this.#version
    this.#version = JSON.stringify(this.#database.prepare('PRAGMA data_version').get())
    return this.#version !== before
  }

  /** Whether another file has taken this one's place, as a backup that was restored. */
  isReplaced(): boolean {
    return identityOf(this.#file) !== this.#identity
  }

  take(): SqliteTaken {
    if (!this.#database.prepare('SELECT 1 FROM serverchannel_outbox LIMIT 1').get()) return { type: 'none' }
    return this.#write(() => {
      const now = Date.now()
      const lease = this.#database.prepare('SELECT holder, expires_at FROM serverchannel_relay').get() as
        | { readonly holder: string; readonly expires_at: number }
        | undefined
      // One that ends later than it can was given by a clock that was set back since.
      const isHeld = lease && lease.expires_at > now && lease.expires_at <= now + LEASE_MS
      if (isHeld && lease.holder !== this.#holder) return { type: 'busy' }
      // Within the transaction, whose commit waits for the disk, so that all of them are on it.
      const rows = this.#rows()
      if (rows.length === 0) return { type: 'none' }
      this.#run('INSERT OR REPLACE INTO serverchannel_relay (one, holder, expires_at) VALUES (1, ?, ?)', [
        this.#holder,
        now + LEASE_MS,
      ])
      return { type: 'taken', rows }
    })
  }

  /** Forgets these rows, and lets others take. @returns false: the database is busy, nothing was done */
  acknowledge(numbers: readonly number[], refused: ReadonlyMap<number, string>): boolean {
    const done = this.#write(() => {
      for (const [number, reason] of refused) {
        this.#run(
          `INSERT OR IGNORE INTO serverchannel_refused (number, reason, ${ROW_COLUMNS})
            SELECT number, ?, ${ROW_COLUMNS} FROM serverchannel_outbox WHERE number = ?`,
          [reason, number],
        )
      }
      const remove = this.#database.prepare('DELETE FROM serverchannel_outbox WHERE number = ?')
      for (const number of numbers) remove.run(number)
      this.#run('UPDATE serverchannel_relay SET expires_at = 0 WHERE holder = ?', [this.#holder])
      return { type: 'none' }
    })
    return done.type !== 'busy'
  }

  close(): void {
    this.#database.close()
  }

  #rows(): readonly OutboxRow[] {
    // Their sizes first: the texts of all that are asked for by number may be far more than is asked for in bytes.
    const sizes = this.#database
      .prepare('SELECT number, length(CAST(body AS BLOB)) AS bytes FROM serverchannel_outbox ORDER BY number LIMIT ?')
      .all(TAKE_COUNT) as { readonly number: number; readonly bytes: number }[]
    return this.#database
      .prepare(`SELECT number, ${ROW_COLUMNS} FROM serverchannel_outbox WHERE number <= ? ORDER BY number`)
      .all(lastWithin(sizes)) as OutboxRow[]
  }

  #write(work: () => SqliteTaken): SqliteTaken {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
    } catch (error) {
      if (failureOf(error) === 'busy') return { type: 'busy' }
      throw error
    }
    try {
      const result = work()
      this.#database.exec(result.type === 'busy' ? 'ROLLBACK' : 'COMMIT')
      return result
    } catch (error) {
      this.#rollBack()
      if (failureOf(error) === 'busy') return { type: 'busy' }
      throw error
    }
  }

  /** Some errors have done so already. */
  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK')
    } catch {
      // There is no transaction any more.
    }
  }

  #run(text: string, values: SqlValue[]): void {
    this.#database.prepare(text).run(...values)
  }
}

function identityOf(file: string): string | undefined {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats && `${stats.dev}:${stats.ino}`
}
