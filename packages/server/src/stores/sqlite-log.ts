import type { LogState } from '../channel/store.ts'
import { checkFile, checksumOf, type ReadRow, requireWhole } from './sqlite-check.ts'
import type { Database, SqlValue, Statement } from './sqlite-database.ts'
import { continueEpoch, type EpochFound } from './sqlite-epoch.ts'
import { FileDamaged, openFile, pragma } from './sqlite-file.ts'
import type { KeptRow, Row, SqliteLogOptions } from './sqlite-messages.ts'
import { Retention, type Trimmed } from './sqlite-retention.ts'

/** Rows of one statement: twice as fast as one by one. */
const ROWS_AT_ONCE = 32
const COLUMNS = 6
/** What is let go of is removed once it is so much, so that single posts don't pay for it. */
const REMOVED_COUNT_MIN = 256
const REMOVED_BYTES_MIN = 1_048_576
/** Removed in one step. */
const REMOVED_COUNT_MAX = 4000
/** Written since the last checkpoint, about; so large is the write-ahead log before the file takes it over. */
const CHECKPOINT_BYTES = 8_388_608
/** Pages that a commit writes besides what its entries take. */
const COMMIT_OVERHEAD_BYTES = 8192
const FREE_PAGES_MIN = 512
const VACUUM_PAGES = 256

/** The log in a file, as the one thread sees it that has it open. All of it is synchronous. */
export class SqliteLog {
  readonly found: EpochFound
  readonly #database: Database
  readonly #retention: Retention
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #insert: Statement
  readonly #insertMany: Statement
  readonly #knownId: Statement
  readonly #places: Statement
  readonly #place: Statement
  readonly #read: Statement
  readonly #remove: Statement
  readonly #noteRemoved: Statement
  readonly #fillProbe: Statement
  #head: number
  #headBytes: number
  #removed: Trimmed
  #writtenBytes = 0
  #isShrinking = false

  /** @throws FileRefused; FileDamaged where what it holds is not what was written */
  static async open(options: SqliteLogOptions): Promise<SqliteLog> {
    const database = await openFile(options.file)
    try {
      return new SqliteLog(database, options)
    } catch (error) {
      database.close()
      throw error
    }
  }

  private constructor(database: Database, { file, durability, ...bounds }: SqliteLogOptions) {
    this.#database = database
    const log = database.prepare('SELECT removed_to, removed_bytes FROM log').get() as
      | { readonly removed_to: number; readonly removed_bytes: number }
      | undefined
    const newest = database.prepare('SELECT offset, bytes_to FROM entries ORDER BY offset DESC LIMIT 1').get() as
      | { readonly offset: number; readonly bytes_to: number }
      | undefined
    if (!log) throw new FileDamaged('The row of the log is missing.')
    this.#removed = { to: log.removed_to, bytes: log.removed_bytes }
    this.#head = newest?.offset ?? this.#removed.to
    this.#headBytes = newest?.bytes_to ?? this.#removed.bytes
    checkFile(database, file, this.#removed.to, this.#head)
    this.found = continueEpoch(database, file, durability)
    // Whatever was written before, at whatever level, is on disk from here on.
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.exec(`PRAGMA synchronous = ${durability === 'synced' ? 'FULL' : 'NORMAL'}`)
    this.#retention = new Retention(database, bounds, this.#removed)
    // The bounds may be smaller than they were.
    this.trim(Number.NEGATIVE_INFINITY)
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    const row = '(?, ?, ?, ?, ?, ?)'
    const into = 'INSERT INTO entries (offset, bytes_to, posted_at, checksum, id, text) VALUES '
    this.#insert = database.prepare(into + row)
    this.#insertMany = database.prepare(into + Array<string>(ROWS_AT_ONCE).fill(row).join(', '))
    this.#knownId = database.prepare(
      'SELECT offset FROM entries WHERE id = ? AND offset > ? AND posted_at >= ? ORDER BY offset DESC LIMIT 1',
    )
    this.#places = database.prepare('SELECT offset, bytes_to FROM entries WHERE offset > ? ORDER BY offset LIMIT ?')
    this.#place = database.prepare('SELECT bytes_to FROM entries WHERE offset = ?')
    this.#read = database.prepare(
      'SELECT offset, text, checksum FROM entries WHERE offset > ? AND offset <= ? ORDER BY offset',
    )
    this.#remove = database.prepare('DELETE FROM entries WHERE offset <= ?')
    this.#fillProbe = database.prepare('UPDATE log SET probe = zeroblob(?)')
    this.#noteRemoved = database.prepare('UPDATE log SET removed_to = ?, removed_bytes = ?')
  }

  state(): LogState {
    return { epoch: this.found.epoch, head: this.#head, trimmedTo: this.trimmedTo }
  }

  get trimmedTo(): number {
    return this.#retention.trimmed.to
  }

  /** Appends all rows or none, in one transaction. @returns the offset of each */
  append(rows: readonly Row[], oldest: number): readonly number[] {
    this.#retention.trim(this.#head, this.#headBytes, oldest)
    const { offsets, values, headBytes } = this.#arrange(rows, oldest)
    const count = values.length / COLUMNS
    this.#transact(() => {
      let at = 0
      for (; at + ROWS_AT_ONCE <= count; at += ROWS_AT_ONCE) {
        this.#insertMany.run(...values.slice(at * COLUMNS, (at + ROWS_AT_ONCE) * COLUMNS))
      }
      for (; at < count; at++) this.#insert.run(...values.slice(at * COLUMNS, (at + 1) * COLUMNS))
      return this.#isRemovalDue ? this.#removeSome() : undefined
    })
    this.#writtenBytes += headBytes - this.#headBytes
    this.#head += count
    this.#headBytes = headBytes
    this.#retention.trim(this.#head, this.#headBytes, oldest)
    return offsets
  }

  /** Entries after the offset, at most so many and so many bytes, but at least one where there is one. @throws FileDamaged */
  read(after: number, countMax: number, bytesMax: number): readonly KeptRow[] {
    if (after < this.trimmedTo || after >= this.#head) return []
    // Their sizes first: the texts of all that are asked for by number may be far more than is asked for in bytes.
    const places = this.#places.all(after, countMax) as { readonly offset: number; readonly bytes_to: number }[]
    const start = after === this.trimmedTo ? this.#retention.trimmed.bytes : this.#bytesTo(after)
    let upTo = after + 1
    for (const { offset, bytes_to } of places) if (bytes_to - start <= bytesMax) upTo = Math.max(upTo, offset)
    const rows = this.#read.all(after, upTo) as ReadRow[]
    requireWhole(rows, after)
    if (rows.length !== upTo - after) throw new FileDamaged(`Entry ${upTo} is missing.`)
    return rows
  }

  /** Lets go of what the bounds no longer cover. @returns whether that was all */
  trim(oldest: number): boolean {
    return this.#retention.trim(this.#head, this.#headBytes, oldest)
  }

  /** Does one step of what can wait. @returns whether there is more of it */
  maintain(): boolean {
    if (this.#writtenBytes >= CHECKPOINT_BYTES) {
      this.#checkpoint('PASSIVE')
      return true
    }
    if (this.#isRemovalDue) {
      const removed = this.#transact(() => this.#removeSome())
      return removed !== undefined
    }
    return this.#shrink()
  }

  /** Writes so many bytes to the disk, syncs, and takes them back. Throws where that does not work. */
  probe(bytes: number): void {
    this.#transact(() => {
      this.#fillProbe.run(bytes)
      return undefined
    })
    this.#transact(() => {
      this.#database.exec('UPDATE log SET probe = NULL')
      return undefined
    })
    this.#checkpoint('PASSIVE')
  }

  /** All that was appended is on disk, and the next opening knows it. */
  close(): void {
    try {
      this.#database.exec('PRAGMA synchronous = FULL')
      this.#checkpoint('TRUNCATE')
      this.#database.exec('UPDATE log SET is_closed = 1')
    } finally {
      this.#database.close()
    }
  }

  /** Where each row belongs, and what is to be written for those that are not there yet. */
  #arrange(
    rows: readonly Row[],
    oldest: number,
  ): { readonly offsets: number[]; readonly values: SqlValue[]; readonly headBytes: number } {
    const offsets: number[] = []
    const values: SqlValue[] = []
    const ids = new Map<string, number>()
    let head = this.#head
    let headBytes = this.#headBytes
    for (const { id, bytes, postedAt, text } of rows) {
      const known = id === null ? undefined : (ids.get(id) ?? this.#offsetOf(id, oldest))
      if (known !== undefined) {
        offsets.push(known)
        continue
      }
      head++
      headBytes += bytes
      if (id !== null) ids.set(id, head)
      offsets.push(head)
      values.push(head, headBytes, Math.trunc(postedAt), checksumOf(head, text), id, text)
    }
    return { offsets, values, headBytes }
  }

  #offsetOf(id: string, oldest: number): number | undefined {
    const row = this.#knownId.get(id, this.trimmedTo, oldest) as { readonly offset: number } | undefined
    return row?.offset
  }

  /** A failed one leaves everything as it was. */
  #transact(run: () => Trimmed | undefined): Trimmed | undefined {
    this.#begin.run()
    let removed: Trimmed | undefined
    try {
      removed = run()
      this.#commit.run()
    } catch (error) {
      this.#rollBack()
      throw error
    }
    if (removed) this.#removed = removed
    this.#writtenBytes += COMMIT_OVERHEAD_BYTES
    return removed
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK')
    } catch {
      // SQLite has done it already, as it does after most errors of the disk.
    }
  }

  get #isRemovalDue(): boolean {
    const { to, bytes } = this.#retention.trimmed
    return to - this.#removed.to >= REMOVED_COUNT_MIN || bytes - this.#removed.bytes >= REMOVED_BYTES_MIN
  }

  #removeSome(): Trimmed {
    const { trimmed } = this.#retention
    const to = Math.min(trimmed.to, this.#removed.to + REMOVED_COUNT_MAX)
    const removed = to === trimmed.to ? trimmed : { to, bytes: this.#bytesTo(to) }
    this.#remove.run(removed.to)
    this.#noteRemoved.run(removed.to, removed.bytes)
    return removed
  }

  #bytesTo(offset: number): number {
    const row = this.#place.get(offset) as { readonly bytes_to: number } | undefined
    if (!row) throw new FileDamaged(`Entry ${offset} is missing.`)
    return row.bytes_to
  }

  /** Gives back pages that are free, where they are many. @returns whether there was something to do */
  #shrink(): boolean {
    const free = pragma(this.#database, 'freelist_count')
    if (free >= FREE_PAGES_MIN && free >= pragma(this.#database, 'page_count') / 4) {
      this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`)
      this.#isShrinking = true
      return true
    }
    // It is the write-ahead log that says how long the file is, until the file takes it over.
    if (this.#isShrinking) this.#checkpoint('PASSIVE')
    this.#isShrinking = false
    return false
  }

  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    this.#database.exec(`PRAGMA wal_checkpoint(${mode})`)
    this.#writtenBytes = 0
  }
}
