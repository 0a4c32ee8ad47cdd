/** What a column holds. */
type SqlValue = string | number | null

/** SQLite as this example uses it: `node:sqlite` where there is one, else `libsql`. */
export interface Database {
  /** Runs statements that take no values. */
  exec(sql: string): void
  run(sql: string, ...values: SqlValue[]): { readonly changes: number }
  /** The rows that a query finds; it says what they hold. */
  all<Row>(sql: string, ...values: SqlValue[]): Row[]
  /** Runs `change` whole or, where it throws, not at all. */
  transaction<Result>(change: () => Result): Result
  close(): void
}

/** The part that both libraries have in common. */
interface Library {
  exec(sql: string): unknown
  prepare(sql: string): {
    run(...values: SqlValue[]): { changes: number | bigint }
    all(...values: SqlValue[]): unknown[]
  }
  close(): unknown
}

/** Opens the file, made where there is none; `:memory:` for one that ends with the process. */
export async function openDatabase(file: string): Promise<Database> {
  const library = openNodeSqlite(file) ?? (await openLibsql(file))
  let isOpen = true
  const database: Database = {
    exec: (sql) => void library.exec(sql),
    run: (sql, ...values) => ({ changes: Number(library.prepare(sql).run(...values).changes) }),
    all: <Row>(sql: string, ...values: SqlValue[]) => library.prepare(sql).all(...values) as Row[],
    transaction(change) {
      library.exec('BEGIN IMMEDIATE')
      try {
        const result = change()
        library.exec('COMMIT')
        return result
      } catch (error) {
        library.exec('ROLLBACK')
        throw error
      }
    },
    close() {
      if (isOpen) library.close()
      isOpen = false
    },
  }
  // Two instances of the example may share the file.
  database.exec('PRAGMA busy_timeout = 2000')
  return database
}

function openNodeSqlite(file: string): Library | undefined {
  // Asked this way, an older Node answers undefined; an import would have to fail first.
  const sqlite = process.getBuiltinModule?.('node:sqlite') as
    | { DatabaseSync: new (file: string) => Library }
    | undefined
  return sqlite && new sqlite.DatabaseSync(file)
}

async function openLibsql(file: string): Promise<Library> {
  const { default: Libsql } = await import('libsql')
  return new Libsql(file)
}
