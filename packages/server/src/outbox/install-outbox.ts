import { withoutPassword } from '../stores/open-store.ts'
import { parsePostgresAddress } from '../stores/postgres-address.ts'
import { openPostgres } from '../stores/postgres-client.ts'
import { installSchema, schemaScript } from '../stores/postgres-schema.ts'
import { openDatabase } from '../stores/sqlite-database.ts'
import { parseMysqlAddress } from './mysql-address.ts'
import { openMysql } from './mysql-client.ts'
import { installMysql, mysqlScript } from './mysql-schema.ts'
import { parseSqliteAddress } from './open-outbox.ts'
import { installSqlite, sqliteScript } from './sqlite-schema.ts'

/** What a database of one kind needs so that its transactions can post. */
interface OutboxInstaller {
  /** All of it, as one script. */
  readonly script: () => string
  /** Makes what is not there yet. @returns the names of the files that were run, and the channel where there are several */
  readonly install: (address: string) => Promise<{ readonly installed: readonly string[]; readonly channel?: string }>
  /** How to post then. */
  readonly example: string
}

const CALL = `serverchannel.post_message_to_all('OrderChanged', '{"id":42}')`
const INSERT = `INSERT INTO serverchannel_outbox (sender, body) VALUES ('OrderChanged', '{"id":42}')`

const postgres: OutboxInstaller = { script: schemaScript, install: installPostgres, example: `SELECT ${CALL}` }
const mysql: OutboxInstaller = { script: mysqlScript, install: installInMysql, example: INSERT }
const sqlite: OutboxInstaller = { script: sqliteScript, install: installInSqlite, example: INSERT }

const installers = new Map([
  ['postgres:', postgres],
  ['postgresql:', postgres],
  ['mysql:', mysql],
  ['mariadb:', mysql],
  ['sqlite:', sqlite],
])

/** @param address of the database, or its scheme alone, as `sqlite:` @throws TypeError where there is no such outbox */
export function installerOf(address: string): OutboxInstaller {
  const installer = installers.get(/^[a-z]+:/.exec(address)?.[0] ?? '')
  if (installer) return installer
  const known = [...installers.keys()].map((each) => `'${each}'`).join(', ')
  throw new TypeError(`There is no outbox '${withoutPassword(address)}'. Outboxes begin with: ${known}.`)
}

async function installPostgres(address: string): Promise<{ installed: readonly string[]; channel: string }> {
  const { connectionString, channel } = parsePostgresAddress(address)
  const client = await openPostgres(connectionString, 'install')
  try {
    const installed = await installSchema(client)
    await client.query('SELECT serverchannel.create_channel($1)', [channel])
    return { installed, channel }
  } finally {
    await client.end()
  }
}

async function installInMysql(address: string): Promise<{ installed: readonly string[] }> {
  const connection = await openMysql(parseMysqlAddress(address), 'install')
  try {
    return { installed: await installMysql(connection) }
  } finally {
    await connection.end()
  }
}

async function installInSqlite(address: string): Promise<{ installed: readonly string[] }> {
  const database = await openDatabase(parseSqliteAddress(address))
  try {
    database.exec('PRAGMA busy_timeout = 10000')
    return { installed: installSqlite(database) }
  } finally {
    database.close()
  }
}
