import type { Connection, RowDataPacket } from 'mysql2/promise'

const CONNECT_MS_MAX = 5000
const QUERY_MS_MAX = 10_000
/** The server lets go of a connection, and of its locks, whose relay's machine is gone. It is asked at least each second. */
const SILENCE_S_MAX = 30

/**
 * Connects to a database of MySQL or MariaDB: `mysql://user:password@host:3306/database`, with parameters of mysql2.
 *
 * @throws TypeError where the address is none, or mysql2 is not installed; else what mysql2 says
 */
export async function openMysql(address: string): Promise<Connection> {
  requireAddress(address)
  const { createConnection } = await importMysql()
  const connection = await createConnection({
    uri: address,
    charset: 'utf8mb4',
    connectTimeout: CONNECT_MS_MAX,
    enableKeepAlive: true,
  })
  // What failed is said to whoever asks next.
  connection.on('error', () => {})
  try {
    await ask(connection, `SET SESSION wait_timeout = ${SILENCE_S_MAX}, autocommit = 1`)
  } catch (error) {
    connection.destroy()
    throw error
  }
  return connection
}

/** @throws TypeError */
export function requireAddress(address: string): void {
  const isOne = /^(?:mysql|mariadb):\/\//.test(address) && URL.canParse(address)
  if (isOne && new URL(address).pathname.length > 1) return
  throw new TypeError("The address of a MySQL database is like 'mysql://user:password@host:3306/database'.")
}

async function importMysql(): Promise<typeof import('mysql2/promise')> {
  try {
    return await import('mysql2/promise')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new TypeError("A 'mysql://' address needs MySQL's client; install it: npm install mysql2", { cause })
  }
}

/** Runs one statement. @param values texts, for its `?` @returns the rows; none where it is no query */
export async function ask<Row extends object>(
  connection: Connection,
  sql: string,
  values: readonly string[] = [],
): Promise<readonly Row[]> {
  const options = { sql, timeout: QUERY_MS_MAX }
  // Texts are not written into statements: how they are to be escaped is for the session's mode to say.
  const [rows] =
    values.length > 0
      ? await connection.execute<RowDataPacket[]>(options, [...values])
      : await connection.query<RowDataPacket[]>(options)
  return Array.isArray(rows) ? (rows as unknown as Row[]) : []
}

/** What the server said is wrong, by its number. */
export function errorNumber(error: unknown): number | undefined {
  const { errno } = error as { readonly errno?: unknown }
  return typeof errno === 'number' ? errno : undefined
}

export const NO_SUCH_TABLE = 1146
