import { spawnSync } from 'node:child_process'
import type { RowDataPacket } from 'mysql2/promise'
import type { MariadbProcess } from './mariadb-process.ts'
import { connectMysql, type ToTransaction } from './mysql-session.ts'
import type { OutboxDialect, OutboxSession } from './outbox-contract.ts'
import type { WriterDialect } from './outbox-writer.ts'

/** A deadlock, a wait that was too long, a row that changed after the snapshot. */
const FAILURES = new Set([1213, 1205, 1020])
const ISOLATIONS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']

/** Databases of a MariaDB that runs. */
export class MysqlOutboxScene implements OutboxDialect, WriterDialect {
  readonly #mariadb: () => MariadbProcess
  readonly #scheme: string
  readonly #toTransaction: ToTransaction | undefined

  constructor(mariadb: () => MariadbProcess, scheme: 'mysql' | 'mariadb', toTransaction?: ToTransaction) {
    this.#mariadb = mariadb
    this.#scheme = scheme
    this.#toTransaction = toTransaction
  }

  readonly begins = ISOLATIONS.map((level) => [`SET TRANSACTION ISOLATION LEVEL ${level}`, 'START TRANSACTION'])
  readonly trigger = [
    'CREATE TABLE orders (id INTEGER PRIMARY KEY, state VARCHAR(20))',
    `CREATE TRIGGER tell AFTER INSERT ON orders FOR EACH ROW
      INSERT INTO serverchannel_outbox (sender, body)
        VALUES ('OrderChanged', JSON_OBJECT('id', NEW.id, 'state', NEW.state))`,
  ]
  readonly refusals = [
    ...refusals.map(
      ([columns, values, said]) => [`INSERT INTO serverchannel_outbox (${columns}) VALUES (${values})`, said] as const,
    ),
    ["CALL serverchannel_post_message('', 'A', '1')", /audience_invalid/] as const,
    ['CALL serverchannel_post_message_to_all(NULL, NULL)', /sender_invalid.* it is NULL/] as const,
  ]
  readonly wrong = [
    // Each of its characters is two of a page's.
    [
      "INSERT INTO serverchannel_outbox (sender, body) VALUES (REPEAT('😀', 200), '1')",
      /'sender' needs to be a string of 1 to 256 characters; it is a string of 400/,
    ],
    [
      "INSERT INTO serverchannel_outbox (sender, body) VALUES ('A', CONCAT(REPEAT('[', 70), REPEAT(']', 70)))",
      /deeper than 64/,
    ],
    ["INSERT INTO serverchannel_outbox (sender, body) VALUES ('A', REPEAT('[', 40))", /no JSON/],
  ] as const
  readonly refused = 'SELECT reason, sender, body FROM serverchannel_refused ORDER BY number'
  readonly uninstall = ['DROP TABLE serverchannel_outbox']

  async createDatabase(): Promise<string> {
    return (await this.#mariadb().createDatabase()).replace('mysql:', `${this.#scheme}:`)
  }

  async connect(address: string): Promise<OutboxSession> {
    const { connection, transaction } = await connectMysql(address, this.#toTransaction)
    return {
      transaction,
      run: async (text) => (text.includes('DELIMITER') ? runScript(address, text) : connection.query(text)),
      rows: async (text) => (await connection.query<RowDataPacket[]>(text))[0],
      close: async () => connection.destroy(),
    }
  }

  isFailure(error: unknown): boolean {
    return FAILURES.has((error as { readonly errno?: number }).errno ?? 0)
  }

  post(sender: string, body: string, id?: string): string {
    const values = `'${sender}', '${body}'`
    return id === undefined
      ? `INSERT INTO serverchannel_outbox (sender, body) VALUES (${values})`
      : `INSERT INTO serverchannel_outbox (sender, body, id) VALUES (${values}, '${id}')`
  }
}

/** By the database's own tool. */
export function runScript(address: string, script: string): void {
  const { port, pathname } = new URL(address)
  const flags = ['--no-defaults', '-h127.0.0.1', `-P${port}`, '-uroot', pathname.slice(1)]
  const { status, stderr } = spawnSync('mysql', flags, { input: script, encoding: 'utf8' })
  if (status !== 0) throw new Error(`mysql ended with ${status}: ${stderr}`)
}

const refusals: readonly (readonly [columns: string, values: string, said: RegExp])[] = [
  ['sender', "''", /sender_invalid: .*1 to 256 characters/],
  ['body', "'1'", /sender_invalid/],
  ['sender', 'NULL', /sender_invalid: .*NULL/],
  ['sender', "REPEAT('x', 257)", /sender_invalid: .*257/],
  ['sender, body', "'A', 'My message value'", /body_not_json: .*JSON_QUOTE/],
  ['sender, body', "'A', ''", /body_not_json/],
  ['sender, body', "'A', JSON_QUOTE(REPEAT('x', 1048576))", /body_too_large: .*1048576/],
  ['sender, audience', "'A', 'x'", /audience_invalid: .*not JSON/],
  ['sender, audience', "'A', '[]'", /audience_invalid/],
  ['sender, audience', "'A', '{}'", /audience_invalid: .*names nobody/],
  ['sender, audience', `'A', '{"user":"a"}'`, /audience_invalid/],
  ['sender, audience', `'A', '{"users":7}'`, /audience_invalid: 'users'/],
  ['sender, audience', `'A', '{"users":["a",null]}'`, /audience_invalid: .*'users'/],
  ['sender, audience', `'A', '{"users":null,"all":false}'`, /audience_invalid: .*names nobody/],
  ['sender, message_key', "'A', ''", /message_invalid: 'message_key'/],
  ['sender, ttl_ms', "'A', 0", /ttl_invalid/],
  ['sender, ttl_ms', "'A', 31622400001", /ttl_invalid/],
  ['sender, min_interval_ms', "'A', 1000", /'min_interval_ms' needs a 'message_key'/],
  ['sender, min_interval_ms, message_key', "'A', 3600001, 'k'", /message_invalid/],
  ['sender, id', "'A', ''", /id_invalid/],
]
