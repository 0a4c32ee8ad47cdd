import { schemaFiles } from '../stores/schema-files.ts'
import type { Database } from '../stores/sqlite-database.ts'

const VERSIONS = `CREATE TABLE IF NOT EXISTS serverchannel_versions (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL, installed_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);`

/** All files as one script, as `outbox install --print` shows them. */
export function sqliteScript(): string {
  const parts = schemaFiles('sqlite').map(({ number, name, text }) => `-- ${name}\n${text}\n${recordOf(number, name)}`)
  return ['BEGIN IMMEDIATE;', VERSIONS, ...parts, 'COMMIT;'].join('\n\n')
}

/** Runs what of the files has not been run in this database, in one transaction. @returns the names of those that were run */
export function installSqlite(database: Database): readonly string[] {
  if (schemaFiles('sqlite').every(({ number }) => installed(database).has(number))) return []
  const names: string[] = []
  database.exec('BEGIN IMMEDIATE')
  try {
    database.exec(VERSIONS)
    const done = installed(database)
    for (const { number, name, text } of schemaFiles('sqlite')) {
      if (done.has(number)) continue
      database.exec(text)
      database.exec(recordOf(number, name))
      names.push(name)
    }
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
  return names
}

function recordOf(number: number, name: string): string {
  return `INSERT OR IGNORE INTO serverchannel_versions (number, name) VALUES (${number}, '${name}');`
}

function installed(database: Database): ReadonlySet<number> {
  const found = database.prepare("SELECT name FROM sqlite_master WHERE name = 'serverchannel_versions'").get()
  if (found === undefined) return new Set()
  const rows = database.prepare('SELECT number FROM serverchannel_versions').all() as { readonly number: number }[]
  return new Set(rows.map(({ number }) => number))
}
