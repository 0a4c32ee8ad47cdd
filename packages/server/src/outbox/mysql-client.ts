import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise'

const CONNECT_MS_MAX = 5000
const QUERY_MS_MAX = 10_000
/** The server lets go of a connection, and of its lock, that is silent for so long: the other side may be gone. */
const SILENCE_SECONDS_MAX = 30

/** What the statements rely on, whatever the server or the account is set to. */
const SETTINGS = [
  `SET SESSION autocommit = 1, wait_timeout = ${SILENCE_SECONDS_MAX}, innodb_lock_wait_timeout = 5,
    sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`,
  'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE',
]

/**
 * Connects to a database of MySQL or MariaDB. What it emits as `error` is taken by nobody; what is asked of it then fails.
 *
 * @param purpose stands in the server's list of connections
 * @throws TypeError where mysql2 is not installed; else what mysql2 says
 */
export async function openMysql(address: string, purpose: string): Promise<Connection> {
  const { createConnection } = await importMysql()
  const connection = await createConnection({
    uri: address,
    connectTimeout: CONNECT_MS_MAX,
    enableKeepAlive: true,
    charset: 'utf8mb4',
    connectAttributes: { program_name: `serverchannel ${purpose}` },
  })
  connection.on('error', () => {})
  try {
    for (const setting of SETTINGS) await change(connection, setting)
  } catch (error) {
    connection.destroy()
    throw error
  }
  return connection
}

async function importMysql(): Promise<typeof import('mysql2/promise')> {
  try {
    return await import('mysql2/promise')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = "A 'mysql://' address needs the client of MySQL and MariaDB; install it: npm install mysql2"
    throw new TypeError(message, { cause })
  }
}

/** @returns the rows of one statement */
export async function ask<Row extends object>(
  connection: Connection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const [rows] = await connection.query<(RowDataPacket & Row)[]>({ sql, timeout: QUERY_MS_MAX }, [...values])
  return rows
}

/** Runs one statement that gives no rows. @returns how many it changed */
export async function change(connection: Connection, sql: string, values: readonly unknown[] = []): Promise<number> {
  const [result] = await connection.query<ResultSetHeader>({ sql, timeout: QUERY_MS_MAX }, [...values])
  return result.affectedRows
}

/** What MySQL said is wrong, by its number; undefined where the connection failed. */
export function mysqlNumber(error: unknown): number | undefined {
  const { errno, sqlState } = (error ?? {}) as { errno?: unknown; sqlState?: unknown }
  return typeof sqlState === 'string' && typeof errno === 'number' ? errno : undefined
}
