import type Libsql from 'libsql'

/** What a column holds here. */
export type SqlValue = string | number | null

/** The part of SQLite's libraries that the log needs: both have it under the same names. */
export interface Database {
  /** Runs statements that take no values and give no rows. */
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}

export interface Statement {
  run(...values: SqlValue[]): unknown
  /** The first row; undefined where there is none. */
  get(...values: SqlValue[]): unknown
  all(...values: SqlValue[]): unknown[]
}

/** What is behind an error of either library. */
export type Failure =
  /** Another process, or another store of this one, has the file. */
  | 'busy'
  /** What the file holds is not what was written to it. */
  | 'damaged'
  /** The disk, or what it is connected by: it may come back. */
  | 'disk'
  | 'other'

/**
 * Opens a file by `node:sqlite` where this Node has it, else by `libsql`.
 *
 * @throws TypeError where there is neither
 */
export async function openDatabase(file: string): Promise<Database> {
  // Asked this way, an older Node answers undefined; an import would have to fail first.
  const own = process.getBuiltinModule?.('node:sqlite') as NodeSqlite | undefined
  if (own) return new own.DatabaseSync(file)
  const { default: Database } = await importLibsql()
  return new Database(file)
}

interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => Database
}

async function importLibsql(): Promise<{ readonly default: typeof Libsql }> {
  try {
    return await import('libsql')
  } catch (cause) {
    throw new TypeError(
      `A 'sqlite:' store needs Node 22.13 or newer, or the package 'libsql', which could not be loaded: ` +
        `npm install libsql@0.5.29. ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  }
}

/** SQLite's primary result codes, which both libraries hand on: https://www.sqlite.org/rescode.html */
const failures: ReadonlyMap<number, Failure> = new Map([
  [5, 'busy'],
  [6, 'busy'],
  [8, 'disk'],
  [10, 'disk'],
  [13, 'disk'],
  [14, 'disk'],
  [11, 'damaged'],
  [26, 'damaged'],
])

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return 'other'
  const { errcode, rawCode } = error as { readonly errcode?: unknown; readonly rawCode?: unknown }
  const code = typeof errcode === 'number' ? errcode : rawCode
  return (typeof code === 'number' ? failures.get(code & 0xff) : undefined) ?? 'other'
}
