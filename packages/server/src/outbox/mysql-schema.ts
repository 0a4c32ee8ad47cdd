import type { Connection } from 'mysql2/promise'
import { schemaFiles } from '../stores/schema-files.ts'
import { ask, errorNumber, NO_SUCH_TABLE } from './mysql-client.ts'

const VERSIONS = `CREATE TABLE IF NOT EXISTS serverchannel_versions (
  number INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL, installed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB;`

const LOCK = "CONCAT('serverchannel/', SHA1(CONCAT('install/', DATABASE())))"
const LOCK_S_MAX = 10

/** All files as one script, as `outbox install --print` shows them. */
export function mysqlScript(): string {
  const parts = schemaFiles('mysql').map(({ number, name, text }) => `-- ${name}\n${text}\n${recordOf(number, name)}`)
  return [VERSIONS, ...parts].join('\n\n')
}

/**
 * Runs what of the files has not been run in this database. What makes tables is no part of transactions there: a file that
 * was run in part is run again, and each of its statements can be.
 *
 * @returns the names of those that were run
 */
export async function installMysql(connection: Connection): Promise<readonly string[]> {
  const files = schemaFiles('mysql')
  const present = await installed(connection)
  if (files.every(({ number }) => present.has(number))) return []
  const [lock] = await ask<{ readonly is_mine: number | null }>(
    connection,
    `SELECT GET_LOCK(${LOCK}, ${LOCK_S_MAX - 1}) AS is_mine`,
  )
  if (lock?.is_mine !== 1) throw new Error('Somebody else installs the outbox in this database; try again later.')
  try {
    return await installFiles(connection)
  } finally {
    await ask(connection, `DO RELEASE_LOCK(${LOCK})`)
  }
}

async function installFiles(connection: Connection): Promise<readonly string[]> {
  const names: string[] = []
  await ask(connection, VERSIONS)
  const done = await installed(connection)
  for (const { number, name, text } of schemaFiles('mysql')) {
    if (done.has(number)) continue
    for (const statement of statementsOf(text)) await ask(connection, statement)
    await ask(connection, recordOf(number, name))
    names.push(name)
  }
  return names
}

/** None of the statements has another in it. */
function statementsOf(text: string): readonly string[] {
  return text
    .replaceAll(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .filter((statement) => statement.trim() !== '')
}

function recordOf(number: number, name: string): string {
  return `INSERT IGNORE INTO serverchannel_versions (number, name) VALUES (${number}, '${name}');`
}

async function installed(connection: Connection): Promise<ReadonlySet<number>> {
  try {
    const rows = await ask<{ readonly number: number }>(connection, 'SELECT number FROM serverchannel_versions')
    return new Set(rows.map(({ number }) => number))
  } catch (error) {
    if (errorNumber(error) === NO_SUCH_TABLE) return new Set()
    throw error
  }
}
