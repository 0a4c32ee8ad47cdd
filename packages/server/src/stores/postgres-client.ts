import type { Client, QueryConfig, QueryResultRow } from 'pg'
import { ChannelError } from '../channel/channel-error.ts'

const CONNECT_MS_MAX = 5000
/** The server gives up first, so that what was given up is not done later. */
const STATEMENT_MS_MAX = 8000
const QUERY_MS_MAX = 10_000

/**
 * What the functions rely on, whatever the role or the database is set to. Asked of the catalogue, because older servers
 * don't know them all.
 */
const SETTINGS = `SELECT set_config(name, value, false) FROM (VALUES
  ('default_transaction_isolation', 'read committed'), ('default_transaction_read_only', 'off'),
  ('idle_session_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('lock_timeout', '0'),
  ('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3')
  ) AS wanted (name, value) WHERE EXISTS (SELECT FROM pg_settings s WHERE s.name = wanted.name)`

/**
 * Connects to a database. What it emits as `error` is taken by nobody: whoever keeps the connection listens for `end`.
 *
 * @param purpose stands in the server's list of connections
 * @throws TypeError where pg is not installed; else what pg says
 */
export async function openPostgres(connectionString: string, purpose: string): Promise<Client> {
  const { default: pg } = await importPg()
  const client = new pg.Client({
    connectionString,
    application_name: `serverchannel ${purpose}`,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    keepAlive: true,
    statement_timeout: STATEMENT_MS_MAX,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await ask(client, { text: SETTINGS })
  } catch (error) {
    drop(client)
    throw error
  }
  return client
}

async function importPg(): Promise<typeof import('pg')> {
  try {
    return await import('pg')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new TypeError("A 'postgres://' address needs PostgreSQL's client; install it: npm install pg", { cause })
  }
}

/** The last statement of each connection, which takes one at a time. */
const underWay = new WeakMap<Client, Promise<unknown>>()

/**
 * Runs a statement when those before it have ended. A connection that then says nothing for too long is dropped: it may
 * be cut without anybody having been told.
 *
 * @returns the rows
 */
export function ask<Row extends QueryResultRow>(
  client: Client,
  query: QueryConfig,
  ms: number = QUERY_MS_MAX,
): Promise<Row[]> {
  const before = underWay.get(client)
  const rows =
    before === undefined ? runQuery<Row>(client, query, ms) : before.then(() => runQuery<Row>(client, query, ms))
  underWay.set(
    client,
    rows.catch(() => {}),
  )
  return rows
}

async function runQuery<Row extends QueryResultRow>(client: Client, query: QueryConfig, ms: number): Promise<Row[]> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`PostgreSQL did not answer within ${ms} ms.`))
      drop(client)
    }, ms)
  })
  const answer = client.query<Row>(query)
  // It fails as well when its connection is dropped.
  answer.catch(() => {})
  try {
    return (await Promise.race([answer, silence])).rows
  } finally {
    clearTimeout(timer)
  }
}

/** Ends a connection at once, without waiting for the other side. */
export function drop(client: Client): void {
  client.connection.stream.destroy()
}

/** What PostgreSQL said is wrong, by its code; undefined where the connection failed. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** Whether the statement was refused, and the connection is as good as before. */
export function isRefusal(error: unknown): boolean {
  const state = sqlState(error)
  // 57P: the server goes down; 08: the connection; 25006: it is a standby now; 3F, 42: the functions are gone.
  return state !== undefined && !/^(?:57P|08|25006|3F|42)/.test(state)
}

export function storeFailed(message: string, cause?: unknown): ChannelError {
  return new ChannelError('store_failed', message, { cause })
}
