import type { Connection } from 'mysql2/promise'
import { type SchemaFile, schemaFiles } from '../stores/schema-files.ts'
import { ask, change, mysqlNumber } from './mysql-client.ts'

const VERSIONS = `CREATE TABLE IF NOT EXISTS serverchannel_versions (
  number INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL, installed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB`

/** All files as one script for the command `mysql`, as `outbox install --print` shows them. */
export function mysqlScript(): string {
  const parts = schemaFiles('mysql').map(({ number, name, text }) => `-- ${name}\n${text}\n${recordOf(number, name)};`)
  return [`${VERSIONS};`, ...parts].join('\n\n')
}

const LOCK_SECONDS_MAX = 8
/** The account may not create tables, triggers or procedures. */
const DENIED = new Set([1044, 1142, 1227, 1370, 1419])

/**
 * Runs what of the files has not been run in this database. Safe to be called again, and by several at the same time.
 *
 * @returns the names of those that were run
 * @throws Error that says what the account lacks
 */
export async function installMysql(connection: Connection): Promise<readonly string[]> {
  const missing = await missingOf(connection)
  if (missing.length === 0) return []
  const [lock] = await ask<{ is_mine: number | null }>(
    connection,
    "SELECT GET_LOCK(CONCAT('serverchannel.install.', MD5(DATABASE())), ?) AS is_mine",
    [LOCK_SECONDS_MAX],
  )
  if (lock?.is_mine !== 1) throw new Error('Somebody else installs the outbox in this database. Try again.')
  try {
    return await install(connection)
  } catch (cause) {
    if (!DENIED.has(mysqlNumber(cause) ?? 0)) throw cause
    throw new Error(
      `This account may not create what the outbox needs: ${(cause as Error).message}. Let one that may run: npx serverchannel outbox install URL`,
      { cause },
    )
  } finally {
    await change(connection, "DO RELEASE_LOCK(CONCAT('serverchannel.install.', MD5(DATABASE())))").catch(() => {})
  }
}

async function install(connection: Connection): Promise<readonly string[]> {
  await change(connection, VERSIONS)
  const missing = await missingOf(connection)
  for (const { number, name, text } of missing) {
    for (const statement of statementsOf(text)) await change(connection, statement)
    await change(connection, recordOf(number, name))
  }
  return missing.map(({ name }) => name)
}

async function missingOf(connection: Connection): Promise<readonly SchemaFile[]> {
  const files = schemaFiles('mysql')
  try {
    const rows = await ask<{ number: number }>(connection, 'SELECT number FROM serverchannel_versions')
    const present = new Set(rows.map(({ number }) => number))
    return files.filter(({ number }) => !present.has(number))
  } catch (error) {
    if (isMissing(error)) return files
    throw error
  }
}

/** Whether a statement failed because what the outbox is made of is not there. */
export function isMissing(error: unknown): boolean {
  // No such table; or this account may not see it.
  return mysqlNumber(error) === 1146
}

/** The command `mysql` needs to be told where statements with statements in them end; a server is given one at a time. */
function statementsOf(text: string): string[] {
  return text
    .replace(/^DELIMITER .*$/gm, '')
    .split(/^\/\/$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replace(/^--.*$/gm, '').trim() !== '')
}

function recordOf(number: number, name: string): string {
  return `INSERT IGNORE INTO serverchannel_versions (number, name) VALUES (${number}, '${name}')`
}
