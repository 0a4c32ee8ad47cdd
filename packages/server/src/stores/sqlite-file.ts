import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Database, failureOf, openDatabase } from './sqlite-database.ts'

/** In SQLite's header of every file of ours: "SCLG". */
const APPLICATION_ID = 0x53434c47
const FORMAT_VERSION = 1
const PAGE_BYTES = 4096
/** A process that is about to end may still have the file. */
const BUSY_TIMEOUT_MS = 1000
/** What a file that shrank keeps of its write-ahead log. */
const WAL_KEPT_BYTES = 16_777_216

/** The file is not one that a log could be in; another one has to be named. */
export class FileRefused extends Error {
  override readonly name = 'FileRefused'
  /** Whether another address would help, rather than another time. */
  readonly isOption: boolean

  constructor(message: string, isOption: boolean, options?: { cause?: unknown }) {
    super(message, options)
    this.isOption = isOption
  }
}

/** What the file holds is not what was written to it. */
export class FileDamaged extends Error {
  override readonly name = 'FileDamaged'
}

/**
 * Opens the file for this process alone, and makes it a log where it is new.
 *
 * @throws FileRefused where it is another's, in use, or can't be had; FileDamaged where it was ours
 */
export async function openFile(file: string): Promise<Database> {
  const isNew = !existsSync(file)
  let database: Database
  try {
    mkdirSync(dirname(file), { recursive: true })
    database = await openDatabase(file)
  } catch (cause) {
    if (cause instanceof TypeError) throw new FileRefused(cause.message, true, { cause })
    throw new FileRefused(`'${file}' can't be opened: ${reasonOf(cause)}.`, false, { cause })
  }
  try {
    prepare(database, file)
  } catch (error) {
    database.close()
    throw error instanceof FileRefused || error instanceof FileDamaged ? error : toRefusal(error, file)
  }
  // The file's name is to be as safe as what is in it.
  if (isNew) syncFolder(file)
  return database
}

function prepare(database: Database, file: string): void {
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  // The lock is the process's, and ends with it however it ends. There is no shared memory in a file of its own then.
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  database.exec('PRAGMA synchronous = FULL')
  const owner = pragma(database, 'application_id')
  const tables = numberOf(database.prepare('SELECT count(*) AS value FROM sqlite_schema').get())
  if (owner !== APPLICATION_ID && (owner !== 0 || tables > 0)) {
    throw new FileRefused(`'${file}' is the database of something else; name another file.`, true)
  }
  if (owner === 0) create(database)
  const version = pragma(database, 'user_version')
  if (version !== FORMAT_VERSION) {
    throw new FileRefused(
      `'${file}' is of another version of ServerChannel (format ${version}, this one reads ${FORMAT_VERSION}).`,
      true,
    )
  }
  database.exec('PRAGMA journal_mode = WAL')
  // Checkpoints are asked for where their failure can be told from that of a commit.
  database.exec('PRAGMA wal_autocheckpoint = 0')
  database.exec(`PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`)
  database.exec('PRAGMA cache_size = -16384')
}

/** In one transaction: a file is ours as a whole, or empty. */
function create(database: Database): void {
  database.exec(`PRAGMA page_size = ${PAGE_BYTES}`)
  // Has to come before the first table.
  database.exec('PRAGMA auto_vacuum = INCREMENTAL')
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE log (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      epoch TEXT NOT NULL,
      -- Entries up to and including this offset were removed.
      removed_to INTEGER NOT NULL DEFAULT 0,
      -- The bytes of all of them.
      removed_bytes INTEGER NOT NULL DEFAULT 0,
      -- Where and how it was open last: see sqlite-epoch.ts.
      machine_life TEXT NOT NULL DEFAULT '',
      file_identity TEXT NOT NULL DEFAULT '',
      durability TEXT NOT NULL DEFAULT '',
      is_closed INTEGER NOT NULL DEFAULT 1,
      -- Written to see whether as much as that can be written.
      probe BLOB
    ) STRICT;
    CREATE TABLE entries (
      offset INTEGER PRIMARY KEY,
      -- Bytes of all entries ever, up to and including this one.
      bytes_to INTEGER NOT NULL,
      posted_at INTEGER NOT NULL,
      checksum INTEGER NOT NULL,
      -- The idempotency key, as JSON.
      id TEXT,
      text TEXT NOT NULL
    ) STRICT;
    INSERT INTO log (one, epoch) VALUES (1, '${createEpoch()}');
    CREATE INDEX entries_by_id ON entries (id) WHERE id IS NOT NULL;
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${FORMAT_VERSION};
    COMMIT`)
}

function toRefusal(error: unknown, file: string): Error {
  const failure = failureOf(error)
  switch (failure) {
    case 'busy':
      return new FileRefused(
        `Another process has '${file}' open. A 'sqlite:' store is for one process: end the other one, name another ` +
          'file, or use an engine for several nodes.',
        false,
        { cause: error },
      )
    case 'damaged':
      // A first page that is gone leaves the file's size as it was; anything else was never ours.
      if (statSync(file).size % PAGE_BYTES === 0) return new FileDamaged(reasonOf(error), { cause: error })
      return new FileRefused(`'${file}' is no SQLite database; name another file.`, true, { cause: error })
    case 'disk':
    case 'other':
      return new FileRefused(`'${file}' can't be opened: ${reasonOf(error)}.`, false, { cause: error })
    default:
      return failure satisfies never
  }
}

/** Puts a damaged file, and what belongs to it, aside under another name. @returns that name */
export function putAside(file: string, now: number): string {
  const stamp = new Date(now).toISOString().replaceAll(/[-:.]/g, '')
  let aside = `${file}.damaged-${stamp}`
  for (let number = 2; existsSync(aside); number++) aside = `${file}.damaged-${stamp}-${number}`
  renameSync(file, aside)
  for (const suffix of ['-wal', '-journal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix)
  }
  syncFolder(file)
  return aside
}

/** Random, so that no two lives of logs have the same. */
export function createEpoch(): string {
  return randomBytes(9).toString('base64url')
}

export function pragma(database: Database, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get()
  return numberOf({ value: Object.values(row as Record<string, unknown>)[0] })
}

/** The number of a row with one column called `value`. @throws FileDamaged where it is none */
export function numberOf(row: unknown): number {
  const { value } = row as { readonly value?: unknown }
  if (typeof value === 'number') return value
  throw new FileDamaged('A number is missing.')
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function syncFolder(file: string): void {
  // Windows has no such thing, and does not need it.
  if (process.platform === 'win32') return
  const folder = openSync(dirname(file), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
